/** Usage: node node-ipc-server.js [PATH]. A server as it was before, with node-ipc. */
import process from 'node:process'
import ipc from 'node-ipc'

const [, , path = '/tmp/app.world'] = process.argv

ipc.config.id = 'world'
ipc.config.silent = true
ipc.serve(path, () => console.log(`listening on unix:${path}`))
ipc.server.on('app.message', ({ id, message }, socket) => {
  console.log(`${id}: ${message}`)
  ipc.server.emit(socket, 'app.message', { id: 'world', message: `${message} world` })
})
ipc.server.start()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ipc.server.stop())
