/** Main's end of a shard's wake line. */
import { moveHandle } from '../internals/socket-handle.js'
import { readWakes, WakeLine } from '../protocol/wakeup-socket.js'
import { offerRendezvous, type Rendezvous } from '../listening/one-shot-listener.js'

export interface LineHost {
  readonly path: string
  /** Undefined until the shard has connected. */
  readonly line: WakeLine | undefined
  close(): void
}

/** Undefined where there are no Unix sockets, or no folder to put one, or one with too long a path: the MessagePort serves alone then. */
export function offerLine(onWake: () => void): LineHost | undefined {
  if (process.platform === 'win32') return undefined
  let line: WakeLine | undefined
  let rendezvous: Rendezvous
  try {
    rendezvous = offerRendezvous(
      (accepted) => {
        const socket = moveHandle(accepted, readWakes(onWake))
        if (socket === undefined) accepted.destroy()
        else line = new WakeLine(socket)
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
