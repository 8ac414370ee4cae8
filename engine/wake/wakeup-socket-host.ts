/** Main's end of a shard's wake line. */
import { moveHandle } from '../internals/socket-handle.js'
import { readWakeups, WakeupSocket } from '../protocol/wakeup-socket.js'
import { openOneShotListener, type OneShotListener } from '../sockets/one-shot-listener.js'

export interface WakeupSocketHost {
  readonly path: string
  /** Undefined until the shard has connected. */
  readonly line: WakeupSocket | undefined
  close(): void
}

/**
 * Undefined where there are no Unix sockets, or no folder to put one, or one with too long a path: the MessagePort
 * serves alone then.
 */
export function offerWakeupSocket(onWake: () => void): WakeupSocketHost | undefined {
  if (process.platform === 'win32') return undefined
  let line: WakeupSocket | undefined
  let rendezvous: OneShotListener
  try {
    rendezvous = openOneShotListener(
      (accepted) => {
        const socket = moveHandle(accepted, readWakeups(onWake))
        if (socket === undefined) accepted.destroy()
        else line = new WakeupSocket(socket)
      },
      () => undefined,
    )
  } catch {
    return undefined
  }
  return {
    path: rendezvous.path,
    get line() {
      return line
    },
    close() {
      rendezvous.close()
      line?.close()
    },
  }
}
