// A client of socket.io-client of npm: `node client.cjs URL OPTIONS`, where OPTIONS is JSON. It does what it is told by
// events, and says what happens to it, a line of JSON each; its manager alone, with nothing to connect, if it is told so.

const { Manager, io } = require('socket.io-client');

const [, , url, options] = process.argv;
const { namespace, alone, act, ...given } = JSON.parse(options);
const say = (what, more) => console.log(JSON.stringify({ what, ...more }));
const settings = { transports: ['websocket'], reconnectionDelay: 300, randomizationFactor: 0, timeout: 10000, ...given };
const watch = (manager) => {
  manager.on('open', () => say('open'));
  manager.on('ping', () => say('ping'));
};

if (alone) {
  const manager = new Manager(url, settings);
  watch(manager);
  manager.on('close', (reason) => say('close', { reason }));
} else {
  const socket = io(url + namespace, settings);
  watch(socket.io);
  socket.on('connect', () => say('connect', { id: socket.id }));
  socket.on('connect_error', (error) => say('connect_error', { message: error.message, data: error.data, active: socket.active }));
  socket.on('disconnect', (reason) => say('disconnect', { reason, active: socket.active }));
  socket.onAny((name, ...args) => say('event', { name, args }));
  if (act) socket.once('connect', () => socket.emit('oh_user_action', act, (...answer) => say('acknowledged', { answer })));
  socket.on('say', (...said) => socket.emit('said', ...said));
  socket.on('ask', (...asked) => asked.pop()(...asked));
  socket.on('quiz', (...asked) => socket.emit('question', ...asked, (...answer) => socket.emit('answered', ...answer)));
  socket.on('join', (other) => {
    const second = socket.io.socket(other);
    second.on('connect_error', (error) => socket.emit('not_joined', error.message));
    second.connect();
  });
  socket.on('leave', () => socket.disconnect());
  socket.on('flood', (size) => socket.emit('said', 'x'.repeat(size)));
  socket.on('raw', (text) => socket.io.engine.write(text));
}
