/** A program that sends bursts and is blocked after each, and one that takes them. */
import { leftDuring, type LeftDuring } from './blocks.js'
import type { ContenderSettings } from './contender.js'
import { meetingPlace, type Transport } from './meeting-place.js'
import type { BurstsOrder, SideConfig } from './messages.js'
import { SideProcess } from './side-process.js'

export interface BurstsConfig {
  readonly name: string
  readonly sender: 'engine' | 'net'
  /** Whether the one that sends has dialled, or was dialled. */
  readonly dials: boolean
  readonly transport: Transport
}

export interface BurstsSample extends LeftDuring {
  readonly frames: number
  /** Frames and checksum arrived as sent. */
  readonly verified: boolean
}

export class BurstsContender {
  readonly name: string
  readonly #sender: SideProcess
  readonly #taker: SideProcess

  private constructor(name: string, sender: SideProcess, taker: SideProcess) {
    this.name = name
    this.#sender = sender
    this.#taker = taker
  }

  static async start(config: BurstsConfig, settings: ContenderSettings): Promise<BurstsContender> {
    const { name, sender, dials, transport } = config
    const { folder, shards, wake, inlineWrites, pinTo } = settings
    const path = meetingPlace(folder, `bursts-${name}`)
    const common = { path, transport, connections: 1, shards, wake, inlineWrites, corkFrames: 1 }
    const sends: SideConfig = { ...common, stack: sender, role: 'bursts', listens: !dials }
    // Another program wherever there may be one.
    const takes: SideConfig = { ...common, stack: transport === 'shm' ? 'engine' : 'net', role: 'take', listens: dials }
    const [first, second] = dials ? [takes, sends] : [sends, takes]
    const listening = await SideProcess.start(first, pinTo)
    const dialling = await SideProcess.start(second, pinTo)
    return dials ? new BurstsContender(name, dialling, listening) : new BurstsContender(name, listening, dialling)
  }

  /** Why its connection is not over shared memory, if it asked for it. */
  get fallback(): string | undefined {
    return this.#sender.fallback ?? this.#taker.fallback
  }

  async measure(order: Omit<BurstsOrder, 'kind'>): Promise<BurstsSample> {
    const { frames, count, bytes } = order
    await this.#taker.order({ kind: 'take', frames, count })
    await this.#sender.order({ kind: 'bursts', ...order })
    const [sent, taken] = await Promise.all([this.#sender.result('bursts'), this.#taker.result('taken')])
    const { arrivals, checksum } = taken
    const isWhole = arrivals.length === sent.frames && taken.bytes === sent.frames * bytes
    return {
      ...leftDuring(sent.blocks, arrivals),
      frames: arrivals.length,
      verified: isWhole && checksum === sent.checksum,
    }
  }

  /** True: both programs released everything they had opened. */
  async stop(): Promise<boolean> {
    const sender = await this.#sender.stop()
    const taker = await this.#taker.stop()
    return sender === 0 && taker === 0
  }
}
