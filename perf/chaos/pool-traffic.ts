/**
 * Questions and answers over a pool, to the same peer as the traffic. A question may fail, but only with an error; an
 * answer must be right.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { TransportError, type ConnectionPool, type LeasedConnection } from '../../api/index.js'
import type { Random } from '../harness/seeded-random.js'
import { makeFrame, openFrame, randomPayload } from './campaign-frames.js'
import type { Gate } from './gate.js'

/** Users at the same time, each with its own connection. */
export const POOL_USERS = 2

export class PoolTraffic {
  readonly name: string
  readonly pool: ConnectionPool
  answered = 0
  failed = 0
  readonly complaints: string[] = []
  #next = 0
  #isStopping = false
  readonly #random: Random
  readonly #gate: Gate
  readonly #running: Promise<unknown>

  constructor(name: string, pool: ConnectionPool, random: Random, gate: Gate) {
    this.name = name
    this.pool = pool
    this.#random = random
    this.#gate = gate
    this.#running = Promise.all(Array.from({ length: POOL_USERS }, () => this.#run()))
  }

  /** Resolves once a question that was asked after this call is answered. */
  async wellAgain(): Promise<void> {
    const before = this.answered
    await this.#gate.until(() => this.answered >= before + POOL_USERS)
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#running
    await this.pool.close()
    const { size, created, destroyed } = this.pool.stats()
    if (size !== 0 || created !== destroyed)
      this.complaints.push(
        `${this.name}: a closed pool has ${String(size)} connections, ${String(created)} made and ${String(destroyed)} gone`,
      )
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      try {
        await this.pool.use((connection) => this.#ask(connection))
        this.answered++
      } catch (error) {
        if (!(error instanceof TransportError)) throw error
        this.failed++
      }
      this.#gate.poke()
      await nextTurn()
    }
  }

  async #ask(connection: LeasedConnection): Promise<void> {
    const number = this.#next++
    connection.send(makeFrame(number, 'ask', randomPayload(this.#random)))
    const reply = await connection.receive()
    const frame = reply === undefined ? undefined : openFrame(reply)
    if (reply === undefined) throw new TransportError('ERR_RESET', 'the peer ended the connection before it answered.')
    if (frame?.purpose !== 'ask' || frame.number !== number)
      this.complaints.push(`${this.name}: question ${String(number)} got a wrong answer`)
  }
}
