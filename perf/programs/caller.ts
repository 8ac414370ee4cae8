/** Foreign peers: plain `net` clients, each of which connects, sends its number if ordered to, and leaves. */
import net from 'node:net'
import process from 'node:process'
import { CALL_BYTES, CALL_ID_AT, type CallerOrder, type CallerReport } from '../harness/calls.js'

const path = process.argv[2] ?? ''

function say(message: CallerReport | { readonly kind: 'ready' }): void {
  process.send?.(message)
}

/** A frame of the default framing: its length, then the number of the call. */
function frameOf(id: number): Buffer {
  const frame = Buffer.allocUnsafe(CALL_BYTES)
  frame.writeUInt32LE(CALL_BYTES - CALL_ID_AT)
  frame.writeUInt32LE(id, CALL_ID_AT)
  return frame
}

async function call({ count, atOnce, speaks }: CallerOrder): Promise<CallerReport> {
  let answered = 0
  let wrong = 0
  let full = 0
  let next = 0
  const startedNs = process.hrtime.bigint()
  await new Promise<void>((resolve) => {
    let over = 0
    const dial = (id: number): void => {
      const socket = net.connect(path)
      const frame = speaks ? frameOf(id) : undefined
      let wasFull = false
      socket.on('connect', () => {
        if (frame === undefined) socket.destroy()
        else socket.write(frame)
      })
      socket.on('data', (echo) => {
        if (frame?.equals(echo) === true) answered++
        else wrong++
        socket.destroy()
      })
      // Gone without an answer: it does not count as answered.
      socket.on('end', () => {
        socket.destroy()
      })
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EAGAIN') wasFull = true
        else wrong++
      })
      socket.on('close', () => {
        if (wasFull) {
          full++
          setImmediate(dial, id)
          return
        }
        if (++over === count) resolve()
        else if (next < count) dial(next++)
      })
    }
    while (next < Math.min(atOnce, count)) dial(next++)
  })
  const endedNs = process.hrtime.bigint()
  return {
    kind: 'called',
    answered,
    wrong,
    full,
    startedNs: startedNs.toString(),
    endedNs: endedNs.toString(),
  }
}

process.on('message', (order: CallerOrder) => {
  void call(order).then(say)
})

say({ kind: 'ready' })
