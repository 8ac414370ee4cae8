/** A child's stdin and stdout: two sockets, of which one is only written and the other only read. */
import net from 'node:net'
import { fromSystemError } from '../../engine/protocol/errors.js'
import type { TargetOf } from '../../engine/protocol/target.js'
import type { Dialler } from '../shard-transport.js'
import { whenConnected } from './net-transport.js'
import { dialBoth, PairWire } from './pair-wire.js'
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
    return dialBoth(connect(writer), connect(reader), abort, () => new PairWire(writer, reader, owner))
  },
}

function connect(socket: net.Socket): Promise<void> {
  // Until both are connected no one else listens: an error of the first must not become an uncaught exception.
  socket.on('error', () => undefined)
  return whenConnected(socket, (error) => fromSystemError(error, 'connecting to', 'stdio')).connected
}
