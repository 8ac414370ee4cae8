/** A child's stdin and stdout: two sockets, of which one is only written and the other only read. */
import net from 'node:net'
import { fromSystemError } from '../../engine/protocol/errors.js'
import type { TargetOf } from '../../engine/protocol/target.js'
import type { Dialler } from '../transport.js'
import { PairWire } from './pair-wire.js'
import { readInto } from './socket-wire.js'

export const childStdioTransport: Dialler<TargetOf<'child-stdio'>> = {
  dial(target, owner) {
    const writer = net.connect({ path: target.stdin, allowHalfOpen: true })
    const reader = net.connect({ path: target.stdout, onread: readInto(owner) })
    // Nothing is read before the lane is attached.
    reader.pause()
    const abort = (): void => {
      writer.destroy()
      reader.destroy()
    }
    const connected = Promise.all([connect(writer), connect(reader)]).then(
      () => new PairWire(writer, reader, owner),
      (error: unknown) => {
        abort()
        throw error
      },
    )
    return { connected, abort }
  },
}

function connect(socket: net.Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(fromSystemError(error, 'connecting to', 'stdio'))
    const onClose = (): void => reject(new Error('the dial was aborted'))
    socket.once('error', onError)
    // Until both are connected no one else listens: an error of the first must not become an uncaught exception.
    socket.on('error', () => undefined)
    socket.once('close', onClose)
    socket.once('connect', () => {
      socket.off('close', onClose)
      socket.off('error', onError)
      resolve()
    })
  })
}
