/** One process's side of connections over shared memory whose peers are killed, or end. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { LaneConnection } from '../../engine/connection/lane-connection.js'
import { FRAME_HEADER_BYTES } from '../../engine/protocol/ring-layout.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { FrameSchedule } from './frame-schedule.js'
import type { LoneOptions, LoneSharedMemory } from './lone-shared-memory.js'
import { Random } from './random.js'
import { signal } from './turns.js'
import { endWithUs } from './with-us.js'

export const LARGEST_FRAME = 20_000
const MORTAL = fileURLToPath(new URL('../fixtures/shared-mortal.js', import.meta.url))
const MOST_FRAMES = 400
/** The ring behind one of 4,096 bytes has more. */
const MOST_UNREAD_BYTES = 16_384

const ways = ['send on', 'send on', 'send on', 'wait', 'end'] as const

interface Meeting {
  readonly child: ChildProcess
  /** All that it sends before it is known what becomes of it. */
  readonly published: Promise<unknown>
  readonly connection: LaneConnection
}

export class Survivor {
  /** How many ended in each way. */
  readonly rounds: Record<(typeof ways)[number], number> = { 'send on': 0, wait: 0, end: 0 }
  frames = 0
  readonly #memory: LoneSharedMemory
  readonly #options: LoneOptions
  readonly #seed: number

  constructor(memory: LoneSharedMemory, options: LoneOptions, seed: number) {
    this.#memory = memory
    this.#options = options
    this.#seed = seed
  }

  /** @throws If something was not as it must be. */
  async round(path: string, number: number): Promise<void> {
    const random = new Random(this.#seed, number)
    const way = ways[number % ways.length] ?? 'end'
    const isLate = way === 'wait' && !random.oneIn(3)
    const count = isLate ? this.#unreadFrames(number) : random.below(MOST_FRAMES)
    const values = [path, JSON.stringify(this.#options), String(this.#seed + number), String(count), way]
    const { child, published, connection } = await this.#meet(path, values, random.oneIn(2))
    const exited = once(child, 'close')
    const incoming = new FrameSchedule(this.#seed + number, 0, LARGEST_FRAME)
    const sending = way === 'end' ? this.#sendSome(connection, number) : this.#sendOn(connection, number)
    const kill = (): void => void child.kill('SIGKILL')
    if (way === 'send on' && count === 0) kill()
    const read = (): void => {
      connection.subscribe(
        (frame) => {
          incoming.check(frame)
          if (way === 'send on' && incoming.count === count) kill()
        },
        { borrow: random.oneIn(2) },
      )
    }
    // Else nobody reads before it is dead.
    if (!isLate) read()
    if (way === 'wait') {
      await published
      kill()
    }
    await exited
    if (isLate) {
      await connection.closed
      read()
    }
    const { code } = await connection.closed
    await sending
    // Behind the end of the connection: what lay in the ring is still handed out.
    while (way !== 'send on' && incoming.count < count) await new Promise(setImmediate)
    const expected = way === 'end' ? 'OK' : 'ERR_RESET'
    if (code !== expected) throw new Error(`round ${String(number)}, ${way}: closed with ${code}`)
    if (way !== 'send on' && incoming.count !== count) throw new Error(`there was a frame too many`)
    this.frames += incoming.count
    this.rounds[way]++
  }

  /** The peer is started, and dials or is dialled. */
  async #meet(path: string, values: readonly string[], isDialling: boolean): Promise<Meeting> {
    const accepted = signal<LaneConnection>()
    const server = isDialling ? undefined : await this.#memory.listen(path, (one) => accepted.resolve(one))
    const args = [MORTAL, ...values, isDialling ? 'listen' : 'dial']
    const child = endWithUs(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] }))
    const lines = createInterface(child.stdout)
    if (isDialling) {
      await once(lines, 'line')
      const published = once(lines, 'line')
      // What listens dies without removing it.
      const connection = await this.#memory.dial(path)
      fs.rmSync(path, { force: true })
      return { child, published, connection }
    }
    const published = once(lines, 'line')
    const connection = await accepted.promise
    server?.close()
    return { child, published, connection }
  }

  /** So many that they lie in the first ring and the next one: nobody reads, so there is no third one. */
  #unreadFrames(number: number): number {
    const schedule = new FrameSchedule(this.#seed + number, 0, LARGEST_FRAME)
    while (schedule.bytes + FRAME_HEADER_BYTES * schedule.count < MOST_UNREAD_BYTES) schedule.next()
    return schedule.count - 1
  }

  async #sendSome(connection: LaneConnection, number: number): Promise<void> {
    const schedule = new FrameSchedule(this.#seed + number, 1, LARGEST_FRAME)
    while (schedule.count < 10) if (!connection.send(schedule.next())) await connection.ready()
  }

  /** Until it fails. */
  async #sendOn(connection: LaneConnection, number: number): Promise<void> {
    const schedule = new FrameSchedule(this.#seed + number, 1, LARGEST_FRAME)
    try {
      for (;;) {
        if (!connection.send(schedule.next())) await connection.ready()
        else if (schedule.count % 20 === 0) await new Promise(setImmediate)
      }
    } catch (error) {
      if (!(error instanceof TransportError) || error.code !== 'ERR_CLOSED') throw error
    }
  }
}
