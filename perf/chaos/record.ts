/**
 * What a peer has received: pairs of u32, a connection and the number of a frame. A synchronous call writes it before
 * the echo, so that killing the peer loses nothing of it.
 */
import fs from 'node:fs'

export interface RecordEntry {
  readonly connection: number
  readonly number: number
}

export interface Recorder {
  add(entries: readonly RecordEntry[]): void
}

export class FileRecorder implements Recorder {
  readonly #descriptor: number

  constructor(path: string) {
    // Appended, so that a peer and the one before it, which may still be running, do not overwrite each other.
    this.#descriptor = fs.openSync(path, 'a')
  }

  add(entries: readonly RecordEntry[]): void {
    const bytes = Buffer.alloc(8 * entries.length)
    entries.forEach(({ connection, number }, index) => {
      bytes.writeUInt32LE(connection, 8 * index)
      bytes.writeUInt32LE(number, 8 * index + 4)
    })
    fs.writeSync(this.#descriptor, bytes)
  }

  close(): void {
    fs.closeSync(this.#descriptor)
  }
}

export function readRecord(path: string): RecordEntry[] {
  if (!fs.existsSync(path)) return []
  const bytes = fs.readFileSync(path)
  return Array.from({ length: Math.floor(bytes.length / 8) }, (_, index) => ({
    connection: bytes.readUInt32LE(8 * index),
    number: bytes.readUInt32LE(8 * index + 4),
  }))
}
