// A server of socket.io of npm: `node server.cjs PORT KNOBS`, where KNOBS is JSON; `require` finds it by NODE_PATH.
// Law: it does what `server.py` does.

const fs = require('fs');
const http = require('http');
const { Server } = require('socket.io');

const knobs = JSON.parse(process.argv[3]);
const TICK = 10;
const server = http.createServer();
const io = new Server(server, {
  pingInterval: knobs.interval * 1000,
  pingTimeout: knobs.timeout * 1000,
  transports: knobs.transports ?? ['polling', 'websocket'],
  serveClient: false,
});
const lines = fs.existsSync(knobs.log) ? fs.readFileSync(knobs.log, 'utf8').split('\n').slice(0, -1) : [];
const events = lines.map((line) => JSON.parse(line));
const readers = new Set();
let writer = null;

const write = () => {
  const event = { id: events.length, text: `event ${events.length}` };
  fs.appendFileSync(knobs.log, `${JSON.stringify(event)}\n`);
  events.push(event);
  for (const reader of readers) reader.emit('logged', event);
};

const letIn = (name) => (socket, next) => {
  if (name === '/unanswered') return;
  if (socket.handshake.auth.token === 'wrong') {
    const error = new Error('not welcome');
    error.data = { code: 401 };
    next(error);
    return;
  }
  if (name === '/early') for (let number = 0; number < 3; number += 1) socket.emit('early', number, Buffer.from([0, 255]));
  if (name === '/log') {
    const known = Number(socket.handshake.query.latest_event_id ?? -1);
    for (const event of events.slice(Math.max(0, known + 1 - knobs.overlap))) socket.emit('logged', event);
    readers.add(socket);
  }
  next();
};

for (const name of ['/', '/room', '/early', '/unanswered', '/log']) {
  io.of(name).use(letIn(name));
  io.of(name).on('connection', (socket) => {
    socket.on('disconnect', () => readers.delete(socket));
    socket.on('say', (...said) => socket.emit('said', ...said));
    socket.on('ask', (...asked) => asked.pop()(...asked));
    socket.on('whoami', (answer) => answer(socket.handshake.auth));
    socket.on('blob', (size, answer) => answer(Buffer.alloc(size)));
    socket.on('quiz', (...asked) => socket.emit('question', ...asked, (...answer) => socket.emit('answered', ...answer)));
    socket.on('kick', () => socket.disconnect(true));
    socket.on('hang_up', () => socket.conn.close());
    socket.on('raw', (text) => socket.conn.write(text));
    socket.on('write', () => { writer = setInterval(write, TICK); });
    socket.on('stop', (answer) => { clearInterval(writer); answer(events.length); });
  });
}

if (events.length > 0) writer = setInterval(write, TICK); // where another process has been killed
server.listen(Number(process.argv[2]), '127.0.0.1');
