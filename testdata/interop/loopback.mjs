// This file is preloaded before the example servers of other projects, which listen on every address
// of the machine. It makes them listen on loopback.
import { Server } from "node:net";

const listen = Server.prototype.listen;
Server.prototype.listen = function (port, ...rest) {
  return ["number", "string"].includes(typeof port) ? listen.call(this, { port: Number(port), host: "127.0.0.1" }, rest.at(-1)) : listen.call(this, port, ...rest);
};
