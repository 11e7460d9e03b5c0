"""Orders: placed by a request, confirmed behind its back."""

import logging

from examples.shop.accounts import User
from examples.shop.database import Database, open_database
from examples.shop.pages import page
from penstock import BackgroundTasks, HTMLResponse, HTTPError, RedirectResponse, Request, Router

log = logging.getLogger("shop")
router = Router(include_in_schema=False)


@router.post("/goods/{item_id}/buy")
def buy(item_id: int, user: User, db: Database, tasks: BackgroundTasks) -> RedirectResponse:
    item = db.execute("select name from goods where id = ?", (item_id,)).fetchone()
    if item is None:
        raise HTTPError(404, "there is no such thing")
    with db:
        order = db.execute("insert into orders (item, buyer) values (?, ?)", (item_id, user)).lastrowid
        db.execute("insert into news (text) values (?)", (f"{user} buys {item['name']}",))
    tasks.add(confirm, order)  # once the reply is out
    return RedirectResponse("/orders", 303)


def confirm(order: int) -> None:
    """What takes a while, a mail for example. Should it fail, that is logged, and nobody else notices."""
    db = open_database()
    try:
        with db:
            db.execute("update orders set confirmed = 1 where id = ?", (order,))
    finally:
        db.close()
    log.info("order %d is confirmed", order)


@router.get("/orders")
def my_orders(request: Request, user: User, db: Database) -> HTMLResponse:
    orders = db.execute(
        "select goods.name, goods.cents, orders.confirmed from orders join goods on goods.id = orders.item"
        " where buyer = ? order by orders.id desc",
        (user,),
    )
    return page(request, "orders.html", orders=orders.fetchall())
