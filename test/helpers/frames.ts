/** Frames whose content is known from a seed, and ways to send and to receive many of them. */
import { createHash } from 'node:crypto'
import type { Connection } from '../../api/index.js'
import { Random } from './random.js'
import { signal } from './turns.js'

/** `count` lengths up to `most`, small ones more often than large ones. */
export function randomLengths(count: number, most: number, seed: number): number[] {
  const random = new Random(seed)
  return Array.from({ length: count }, () => Math.floor((random.next() / 2 ** 32) ** 3 * most))
}

let carry = (bytes: Buffer): Buffer => bytes

/** From here on the frames of this process are what a framing can carry. */
export function makeFramesCarriable(change: (bytes: Buffer) => Buffer): void {
  carry = change
}

/** Bytes that differ at every offset and with every seed: a byte that is moved or stale shows. */
export function frameOf(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let state = (seed * 2_654_435_761 + length) | 0
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    bytes[i] = state >>> 24
  }
  return carry(bytes)
}

export function framesOf(lengths: readonly number[], seed = 1): Buffer[] {
  return lengths.map((length, i) => frameOf(length, seed + i))
}

export function digestOf(frames: Iterable<Uint8Array>): string {
  const hash = createHash('sha1')
  for (const frame of frames) hash.update(`${String(frame.length)}:`).update(frame)
  return hash.digest('hex')
}

/** Sends all as a careful sender does: waits for room whenever send() returns false. */
export async function sendAll(connection: Connection, frames: Iterable<Uint8Array>): Promise<void> {
  for (const frame of frames) if (!connection.send(frame)) await connection.ready()
}

/** Receives `count` frames; fails if the stream ends before. */
export async function receiveMany(connection: Connection, count: number): Promise<Buffer[]> {
  const frames: Buffer[] = []
  while (frames.length < count) {
    const frame = await connection.receive()
    if (frame === undefined) throw new Error(`the stream ended after ${String(frames.length)} frames`)
    frames.push(frame)
  }
  return frames
}

/** Takes everything to the end of the stream. */
export async function receiveToEnd(connection: Connection): Promise<Buffer[]> {
  const frames: Buffer[] = []
  for await (const frame of connection) frames.push(frame)
  return frames
}

/** Ways that take one frame at a time, and leave others for the next reader. */
export const singleWays = ['receive()', 'for await', 'subscribe()', 'subscribe() with borrow'] as const

export const readingWays = [...singleWays, 'subscribeBatch()'] as const

export type ReadingWay = (typeof readingWays)[number]

/** Receives `count` frames in one of the possible ways; in batches, fails if more come together. */
export async function takeBy(way: ReadingWay, connection: Connection, count: number): Promise<Buffer[]> {
  if (way === 'receive()') return receiveMany(connection, count)
  if (way === 'subscribeBatch()') return receiveBatches(connection, count)
  const frames: Buffer[] = []
  if (way === 'for await') {
    for await (const frame of connection) if (frames.push(frame) === count) break
    return frames
  }
  const borrow = way === 'subscribe() with borrow'
  const done = signal()
  const stop = connection.subscribe(
    (frame) => {
      frames.push(borrow ? Buffer.from(frame) : frame)
      if (frames.length < count) return
      stop()
      done.resolve()
    },
    { borrow },
  )
  await done.promise
  return frames
}

async function receiveBatches(connection: Connection, count: number): Promise<Buffer[]> {
  const frames: Buffer[] = []
  const done = signal()
  const stop = connection.subscribeBatch((batch) => {
    for (let i = 0; i < batch.length; i++) frames.push(batch.copy(i))
    if (frames.length < count) return
    stop()
    done.resolve()
  })
  await done.promise
  if (frames.length > count) throw new Error(`${String(frames.length)} frames came, and not ${String(count)}`)
  return frames
}
