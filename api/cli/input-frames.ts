/** Cuts what is read on stdin into frames. */
import type { Readable } from 'node:stream'
import { TransportError } from '../../engine/protocol/errors.js'
import { Unfit } from './options/reader.js'

/** What a transport sends by default at most. */
const MOST_BYTES = 16_777_216
const NEWLINE = 10

/** Each line without its end; also the last, if nothing ends it. @throws {TransportError} ERR_FRAME_TOO_LARGE */
export async function* lines(input: Readable): AsyncGenerator<Buffer, void, undefined> {
  let parts: Buffer[] = []
  let bytes = 0
  for await (const chunk of chunks(input)) {
    let from = 0
    for (let to = chunk.indexOf(NEWLINE); to !== -1; to = chunk.indexOf(NEWLINE, from)) {
      yield Buffer.concat([...parts, chunk.subarray(from, to)])
      parts = []
      bytes = 0
      from = to + 1
    }
    if (from === chunk.length) continue
    parts.push(chunk.subarray(from))
    bytes += chunk.length - from
    if (bytes > MOST_BYTES) {
      throw new TransportError('ERR_FRAME_TOO_LARGE', `a line of stdin has more than ${String(MOST_BYTES)} bytes`)
    }
  }
  if (bytes > 0) yield Buffer.concat(parts)
}

/** As they come. @throws {Unfit} stdin is a folder, say */
export async function* chunks(input: Readable): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of input as AsyncIterable<Buffer | string>) yield Buffer.from(chunk as Buffer)
  } catch (error) {
    throw new Unfit(`stdin cannot be read: ${(error as Error).message}`)
  }
}
