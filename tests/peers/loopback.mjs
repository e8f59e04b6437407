// Preloaded (node --import) into servers that would listen on every interface: they listen on 127.0.0.1, a port of the kernel's
// choice, and print `listening PORT`.

import { Server } from 'node:net';

const { listen } = Server.prototype;
Server.prototype.listen = function (...given) {
    const settled = given.at(-1);
    return listen.call(this, { port: 0, host: '127.0.0.1' }, () => {
        process.stdout.write(`listening ${this.address().port}\n`);
        if (typeof settled === 'function') settled();
    });
};
