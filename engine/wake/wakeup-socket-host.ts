/** Main's end of the wakeup socket of a shard. */
import { moveHandle } from '../internals/socket-handle.js'
import { readWakeups, WakeupSocket } from '../protocol/wakeup-socket.js'
import { openOneShotListener, type OneShotListener } from '../sockets/one-shot-listener.js'

export interface WakeupSocketHost {
  readonly path: string
  /** Undefined until the shard has connected. */
  readonly socket: WakeupSocket | undefined
  close(): void
}

/** Undefined where there are no Unix sockets, no folder for one, or its path is too long: the port serves alone. */
export function offerWakeupSocket(onWake: () => void): WakeupSocketHost | undefined {
  if (process.platform === 'win32') return undefined
  let socket: WakeupSocket | undefined
  let listener: OneShotListener
  try {
    listener = openOneShotListener(
      (accepted) => {
        const moved = moveHandle(accepted, readWakeups(onWake))
        if (moved === undefined) accepted.destroy()
        else socket = new WakeupSocket(moved)
      },
      () => undefined,
    )
  } catch {
    return undefined
  }
  return {
    path: listener.path,
    get socket() {
      return socket
    },
    close() {
      listener.close()
      socket?.close()
    },
  }
}
