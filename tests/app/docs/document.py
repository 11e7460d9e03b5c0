"""A document with one of everything a page must show, and the application that answers it."""

from __future__ import annotations

DOCUMENT = {
    "openapi": "3.1.1",
    "info": {
        "title": "Pump <shop>",
        "version": "2.1",
        "description": "Sells **pumps**, see [the RFC](https://example.org/rfc) and `code`.\n\n- one\n- two",
    },
    "tags": [{"name": "pumps", "description": "What is *for sale*."}],
    "paths": {
        "/pumps": {
            "get": {
                "tags": ["pumps"],
                "operationId": "list_pumps",
                "summary": "List pumps",
                "parameters": [
                    {
                        "name": "limit",
                        "in": "query",
                        "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
                    },
                    {
                        "name": "kind",
                        "in": "query",
                        "schema": {"type": "array", "items": {"type": "string", "enum": ["hand", "diesel"]}},
                    },
                    {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                    {
                        "name": "full",
                        "in": "query",
                        "schema": {"type": "boolean"},
                        "description": "With *everything*.",
                    },
                ],
                "responses": {
                    "200": {
                        "description": "Pumps",
                        "content": {
                            "application/json": {
                                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Pump"}}
                            }
                        },
                        "headers": {
                            "X-Total": {"schema": {"type": "integer"}, "description": "How many there are."}
                        },
                    },
                    "422": {"$ref": "#/components/responses/Problem"},
                },
            },
            "post": {
                "tags": ["pumps"],
                "operationId": "add_pump",
                "summary": "Add a pump",
                "security": [{"bearer": []}, {"key": []}],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pump"}}},
                },
                "responses": {
                    "201": {
                        "description": "Added",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pump"}}},
                    },
                    "422": {"$ref": "#/components/responses/Problem"},
                },
            },
        },
        "/pumps/{pump_id}": {
            "parameters": [
                {"name": "pump_id", "in": "path", "required": True, "schema": {"type": "integer"}}
            ],
            "get": {
                "tags": ["pumps"],
                "operationId": "show_pump",
                "summary": "Show one",
                "responses": {
                    "200": {
                        "description": "It",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pump"}}},
                    }
                },
            },
            "delete": {
                "tags": ["pumps"],
                "operationId": "drop_pump",
                "deprecated": True,
                "responses": {"204": {"description": "Gone"}},
            },
        },
        "/photos": {
            "post": {
                "operationId": "add_photo",
                "summary": "Store a photo",
                "requestBody": {
                    "required": True,
                    "content": {
                        "multipart/form-data": {
                            "schema": {
                                "type": "object",
                                "required": ["title", "photo"],
                                "properties": {
                                    "title": {"type": "string"},
                                    "photo": {
                                        "type": "string",
                                        "contentMediaType": "application/octet-stream",
                                    },
                                },
                            }
                        }
                    },
                },
                "responses": {"200": {"description": "Stored"}},
            }
        },
        "/events": {
            "get": {
                "operationId": "events",
                "summary": "Events, one by one",
                "responses": {"200": {"description": "A stream", "content": {"text/event-stream": {}}}},
            }
        },
    },
    "webhooks": {
        "sold": {
            "post": {
                "operationId": "sold",
                "summary": "A pump was sold",
                "responses": {"204": {"description": "Heard"}},
            }
        }
    },
    "components": {
        "schemas": {
            "Pump": {
                "type": "object",
                "required": ["name", "price"],
                "properties": {
                    "id": {"type": "integer", "readOnly": True},
                    "name": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 50,
                        "description": "As painted on it.",
                    },
                    "price": {"type": "number", "exclusiveMinimum": 0},
                    "kind": {"type": "string", "enum": ["hand", "diesel"]},
                    "made": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Pump"}},
                },
            },
            "Problem": {
                "type": "object",
                "properties": {
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                },
            },
        },
        "responses": {
            "Problem": {
                "description": "Refused",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
        },
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
            "login": {
                "type": "oauth2",
                "flows": {"password": {"tokenUrl": "token", "scopes": {"read": "Read"}}},
            },
            "basic": {"type": "http", "scheme": "basic"},
        },
    },
}
