// Node's own server: the first argument is the port, the second the folder of the files.
'use strict';

const { createServer } = require('node:http');
const { createReadStream, stat } = require('node:fs');
const { join, normalize } = require('node:path');

const [port, folder] = process.argv.slice(2);

function sendFile(request, response) {
  const file = join(folder, normalize(request.url));
  stat(file, (error, found) => {
    if (error) {
      response.writeHead(404);
      response.end();
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/html', 'Content-Length': found.size });
    createReadStream(file).pipe(response);
  });
}

const server = createServer({ keepAliveTimeout: 600000 }, (request, response) => {
  if (request.url !== '/') {
    sendFile(request, response);
    return;
  }
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': 13 });
  response.end('Hello, World!');
});

server.listen(Number(port), '127.0.0.1');
