/**
 * What a peer has received: pairs of u32, a connection and the number of a frame. It is written before the echo, by a
 * call that has returned when the system has it, so that whoever kills the peer takes nothing of it away.
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
    // Appended, so that a peer and the one before it, which may still be about, do not overwrite each other.
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
