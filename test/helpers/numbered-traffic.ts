/** Numbered frames over one connection in one direction: sent until told to stop, and checked one by one. */
import type { Connection } from '../../api/index.js'

export interface NumberedTraffic {
  /** Frames that have come, in order and each once. */
  readonly received: number
  /** Resolves once so many more have come. */
  more(count: number): Promise<void>
  /** Ends the sending side behind its last frame. Resolves with how many were sent and came, once all has come. */
  finish(): Promise<{ readonly sent: number; readonly received: number }>
}

/** `padding`: bytes behind each number. Fails where a frame is missing, comes twice or is out of order. */
export function numberedTraffic(from: Connection, to: Connection, padding: number): NumberedTraffic {
  let sent = 0
  let received = 0
  let stops = false
  let waiting: { readonly until: number; readonly resolve: () => void }[] = []
  const tail = Buffer.alloc(padding, 7)
  const send = async (): Promise<void> => {
    while (!stops) {
      const head = Buffer.alloc(4)
      head.writeUInt32BE(sent++)
      if (!from.send([head, tail])) await from.ready()
      // The receiver is on the same thread: let it have its turn.
      else if (sent % 16 === 0) await new Promise(setImmediate)
    }
    await from.end()
  }
  const receive = async (): Promise<void> => {
    for await (const frame of to) {
      const number = frame.readUInt32BE(0)
      if (number !== received) throw new Error(`frame ${String(number)} came in place of ${String(received)}`)
      if (frame.length !== 4 + padding) throw new Error(`frame ${String(number)} is damaged`)
      received++
      const due = waiting.filter(({ until }) => until <= received)
      if (due.length === 0) continue
      waiting = waiting.filter(({ until }) => until > received)
      for (const { resolve } of due) resolve()
    }
  }
  const both = Promise.all([send(), receive()])
  // Whoever waits hears of it.
  both.catch(() => undefined)
  return {
    get received() {
      return received
    },
    async more(count) {
      const arrived = new Promise<void>((resolve) => waiting.push({ until: received + count, resolve }))
      await Promise.race([arrived, both])
      if (stops) throw new Error('the traffic has ended')
    },
    async finish() {
      stops = true
      await both
      return { sent, received }
    },
  }
}
