/** What Unix sockets and named pipes have in common: `net` reaches both by a path. */
import net from 'node:net'
import type { Dialling } from '../shard-transport.js'
import type { WireOwner } from '../wire.js'
import { readInto, SocketWire } from './socket-wire.js'

/** Turns the system's error into one of ours. */
type Explain = (error: NodeJS.ErrnoException) => Error | Promise<Error>

/** `giveUp` rejects at once; so does the socket's close. */
export function whenConnected(
  socket: net.Socket,
  explain: Explain,
): { readonly connected: Promise<void>; readonly giveUp: () => void } {
  let giveUp = (): void => undefined
  const connected = new Promise<void>((resolve, reject) => {
    const onClose = (): void => reject(new Error('the dial was aborted'))
    const onError = (error: NodeJS.ErrnoException): void => {
      // 'close' follows at once and must not be first.
      socket.off('close', onClose)
      void Promise.resolve(explain(error)).then(reject)
    }
    giveUp = onClose
    socket.once('error', onError)
    socket.once('close', onClose)
    socket.once('connect', () => {
      socket.off('error', onError)
      socket.off('close', onClose)
      resolve()
    })
  })
  return { connected, giveUp }
}

/** `refuse` is asked before a new connection is used: an error closes it. */
export function dialPath(
  path: string,
  owner: WireOwner,
  explain: Explain,
  refuse: () => Error | undefined = () => undefined,
): Dialling {
  const socket = net.connect({ path, allowHalfOpen: true, onread: readInto(owner) })
  // Nothing is read before the lane is attached.
  socket.pause()
  const { connected, giveUp } = whenConnected(socket, explain)
  return {
    connected: connected.then(() => {
      const refusal = refuse()
      if (refusal === undefined) return new SocketWire(socket, owner)
      socket.destroy()
      throw refusal
    }),
    abort: () => {
      socket.destroy()
      // Not when it has closed: libuv waits up to 30 s for a busy pipe, on a thread that nothing interrupts.
      giveUp()
    },
  }
}
