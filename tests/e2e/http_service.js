// SPDX-License-Identifier: GPL-3.0-or-later
// http_service.js PORT: Node's http server: /sum answers with the size, the SHA-256 and the trailers of the body, /bytes?N
// with N bytes by length, /chunked?N with N bytes in chunks and their SHA-256 as a trailer, /head with the headers as Node
// has them.
'use strict';
const http = require('node:http');
const crypto = require('node:crypto');

const block = Buffer.concat(Array(2048).fill(crypto.createHash('sha256').update('outrider').digest()));

function send(response, left, digest, done) {
    for (;;) {
        if (left === 0)
            return done();
        const piece = block.subarray(0, Math.min(left, block.length));
        left -= piece.length;
        digest.update(piece);
        if (!response.write(piece))
            return response.once('drain', () => send(response, left, digest, done));
    }
}

http.createServer((request, response) => {
    const [path, argument] = request.url.split('?');
    const size = Number(argument);
    if (path === '/bytes') {
        response.writeHead(200, {'Content-Length': size});
        send(response, size, crypto.createHash('sha256'), () => response.end());
    } else if (path === '/chunked') {
        const digest = crypto.createHash('sha256');
        response.writeHead(200, {'Transfer-Encoding': 'chunked', Trailer: 'X-Sum'});
        send(response, size, digest, () => {
            response.addTrailers({'X-Sum': digest.digest('hex')});
            response.end();
        });
    } else if (path === '/sum') {
        const digest = crypto.createHash('sha256');
        let total = 0;
        request.on('data', (piece) => { total += piece.length; digest.update(piece); });
        request.on('end', () => response.end(`${total} ${digest.digest('hex')} ${JSON.stringify(request.trailers)}\n`));
    } else {
        response.end(JSON.stringify(request.headers) + '\n');
    }
}).listen(Number(process.argv[2]), '127.0.0.1');
