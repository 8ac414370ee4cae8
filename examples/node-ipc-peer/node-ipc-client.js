/** Usage: node node-ipc-client.js [PATH]. A client as it was before, with node-ipc. */
import process from 'node:process'
import ipc from 'node-ipc'

const [, , path = '/tmp/app.world'] = process.argv

ipc.config.id = 'hello'
ipc.config.silent = true
ipc.config.stopRetrying = true
ipc.connectTo('world', path, () => {
  const { world } = ipc.of
  world.on('connect', () => world.emit('app.message', { id: ipc.config.id, message: 'hello' }))
  world.on('app.message', ({ message }) => {
    console.log(message)
    ipc.disconnect('world')
  })
})
