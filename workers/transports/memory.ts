/** Both ends inside one engine, on one shard: a host's own tests go through real lanes without a socket. */
import { fromSystemError, TransportError } from '../../engine/protocol/errors.js'
import type { TargetOf } from '../../engine/protocol/target.js'
import { refusedDial, type AcceptedPeer, type ListeningTransport } from '../shard-transport.js'
import { MemoryWire } from './memory-wire.js'

/** A listener of this shard, and the dials that wait for it while it accepts nothing. */
interface MemoryListener {
  readonly onAccepted: (peer: AcceptedPeer) => void
  readonly backlog: number
  accepting: boolean
  waiting: (() => void)[]
}

const listeners = new Map<string, MemoryListener>()

export const memoryTransport: ListeningTransport<TargetOf<'memory'>> = {
  dial(target, owner) {
    const listener = listeners.get(target.name)
    if (listener === undefined) {
      return refusedDial(
        new TransportError(
          'ERR_NOT_FOUND',
          `connecting to memory:${target.name}: nobody in this engine listens there. Call listen() first.`,
        ),
      )
    }
    if (!listener.accepting && listener.waiting.length >= listener.backlog) {
      const full = Object.assign(new Error('connect EAGAIN'), { code: 'EAGAIN', syscall: 'connect' })
      return refusedDial(fromSystemError(full, 'connecting to', `memory:${target.name}`))
    }
    const [near, far] = MemoryWire.pair()
    near.own(owner)
    const arrive = (): void =>
      listener.onAccepted({ adopt: (farOwner) => far.own(farOwner), reject: () => far.destroy() })
    // As with a socket: what waits in the backlog is connected already.
    if (listener.accepting) arrive()
    else listener.waiting.push(arrive)
    return { connected: Promise.resolve(near), abort: () => near.destroy() }
  },

  listen(target, backlog, onAccepted) {
    if (listeners.has(target.name)) {
      return Promise.reject(
        new TransportError(
          'ERR_ADDRESS_IN_USE',
          `listening on memory:${target.name}: this engine listens there already. Close that listener, or choose another name.`,
        ),
      )
    }
    const listener: MemoryListener = { onAccepted, backlog, accepting: true, waiting: [] }
    listeners.set(target.name, listener)
    const flush = (): void => {
      while (listener.accepting) {
        const arrive = listener.waiting.shift()
        if (arrive === undefined) return
        arrive()
      }
    }
    return Promise.resolve({
      pause: () => {
        listener.accepting = false
      },
      resume: () => {
        listener.accepting = true
        flush()
        return Promise.resolve()
      },
      close: () => {
        listeners.delete(target.name)
        // They are connected, so they are accepted, and rejected with the others that were not taken.
        listener.accepting = true
        flush()
        return Promise.resolve()
      },
    })
  },
}
