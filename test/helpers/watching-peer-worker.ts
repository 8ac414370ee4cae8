/**
 * A peer in a thread of its own, which echoes what comes and says in shared memory what it sees of its connection, so
 * that a thread whose event loop stands still can see it too.
 */
import net from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { sight, type WatchingPeerData } from './watching-peer.js'

const { path, role, memory } = workerData as WatchingPeerData
const sights = new Int32Array(memory)

function see(what: number): void {
  Atomics.store(sights, what, 1)
  Atomics.notify(sights, what)
}

/** Writes until it cannot. */
async function writeToTheEnd(socket: net.Socket): Promise<void> {
  while (socket.writable) {
    socket.write('x')
    await nextTurn()
  }
}

function watch(socket: net.Socket): void {
  socket.on('error', () => see(sight.WRITE_FAILED))
  socket.on('data', (chunk: Buffer) => socket.write(chunk))
  socket.on('end', () => {
    see(sight.END)
    void writeToTheEnd(socket)
  })
  socket.on('close', () => see(sight.CLOSE))
}

if (role === 'connects') {
  watch(net.connect({ path, allowHalfOpen: true }))
} else {
  net.createServer({ allowHalfOpen: true }, watch).listen(path, () => parentPort?.postMessage('listening'))
}
