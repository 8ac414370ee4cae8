/**
 * One peer floods a hub, while another makes round trips with it and the hub's own timers run. The figure is what the
 * flood costs these two, with the engine and with `net`, under the same two `net` peers.
 */
import type { ContenderSettings } from '../harness/contender.js'
import { HUB_ECHO_BYTES, type HubResult, type PingResult, type Stack } from '../harness/messages.js'
import { meetingPlace } from '../harness/meeting-place.js'
import { interleave, medianOf } from '../harness/rounds.js'
import type { Figure } from '../report/figure.js'
import { figuresOf } from '../report/figures-of.js'
import { SideProcess } from '../harness/side-process.js'

export interface FloodPlan extends ContenderSettings {
  readonly bytes: number
  readonly rounds: number
  /** Round trips a round. */
  readonly count: number
}

export interface FloodRow {
  readonly name: string
  readonly quietMeanMicros: number
  readonly floodedMeanMicros: number
  readonly floodedP99Micros: number
  readonly timerMeanMs: number
  readonly timerP99Ms: number
  readonly megabytesPerSecond: number
  readonly wrong: number
  /** Whether the hub got all the frames that were sent. */
  readonly verified: boolean
}

export interface FloodReport {
  readonly bytes: number
  readonly rows: readonly FloodRow[]
  readonly figures: readonly Figure[]
  readonly released: boolean
}

interface FloodSample {
  readonly quiet: PingResult
  readonly flooded: PingResult
  readonly hub: HubResult
  readonly verified: boolean
}

class FloodContender {
  readonly name: string
  readonly #hub: SideProcess
  readonly #flooder: SideProcess
  readonly #pinger: SideProcess

  private constructor(name: string, hub: SideProcess, flooder: SideProcess, pinger: SideProcess) {
    this.name = name
    this.#hub = hub
    this.#flooder = flooder
    this.#pinger = pinger
  }

  static async start(stack: Stack, settings: ContenderSettings): Promise<FloodContender> {
    const path = meetingPlace(settings.folder, `flood-${stack}`)
    const { shards, wake, inlineWrites, pinTo } = settings
    const common = { path, connections: 1, shards, wake, inlineWrites, corkFrames: 1 }
    const hub = await SideProcess.start({ ...common, stack, role: 'hub' }, pinTo)
    const flooder = await SideProcess.start({ ...common, stack: 'net', role: 'source', corkFrames: 100 }, pinTo)
    const pinger = await SideProcess.start({ ...common, stack: 'net', role: 'ping' }, pinTo)
    return new FloodContender(`${stack} hub`, hub, flooder, pinger)
  }

  async measure(bytes: number, count: number): Promise<FloodSample> {
    const quiet = await this.#ping(count)
    await this.#hub.order({ kind: 'watch' })
    await this.#flooder.order({ kind: 'flood', bytes })
    const flooded = await this.#ping(count)
    await this.#flooder.order({ kind: 'stop-flood' })
    const { frames } = await this.#flooder.result('flood')
    // Some frames are still on their way, and a round trip does not queue behind them. So ask until the hub has them
    // all.
    let hub = await this.#report()
    for (let look = 0; hub.frames < frames && look < 1000; look++) {
      await this.#ping(1)
      hub = { ...hub, frames: (await this.#report()).frames }
    }
    return { quiet, flooded, hub, verified: hub.frames === frames }
  }

  async stop(): Promise<boolean> {
    await this.#pinger.stop()
    await this.#flooder.stop()
    return (await this.#hub.stop()) === 0
  }

  async #ping(count: number): Promise<PingResult> {
    await this.#pinger.order({ kind: 'ping', bytes: HUB_ECHO_BYTES, count })
    return this.#pinger.result('ping')
  }

  async #report(): Promise<HubResult> {
    await this.#hub.order({ kind: 'report' })
    return this.#hub.result('hub')
  }
}

export async function runFlood(plan: FloodPlan): Promise<FloodReport> {
  const contenders: FloodContender[] = []
  let released = true
  let samples: Map<string, FloodSample[]>
  try {
    for (const stack of ['net', 'engine'] as const) contenders.push(await FloodContender.start(stack, plan))
    // One round to compile the code and to grow the rings.
    for (const contender of contenders) await contender.measure(plan.bytes, plan.count)
    samples = await interleave(
      contenders,
      plan.rounds,
      (contender) => contender.measure(plan.bytes, plan.count),
      plan.progress,
    )
  } finally {
    for (const contender of contenders) if (!(await contender.stop())) released = false
  }
  const rows = [...samples].map(([name, own]) => ({
    name,
    quietMeanMicros: medianOf(own, ({ quiet }) => quiet.meanMicros) ?? NaN,
    floodedMeanMicros: medianOf(own, ({ flooded }) => flooded.meanMicros) ?? NaN,
    floodedP99Micros: medianOf(own, ({ flooded }) => flooded.p99Micros) ?? NaN,
    timerMeanMs: medianOf(own, ({ hub }) => hub.timerMeanMs) ?? NaN,
    timerP99Ms: medianOf(own, ({ hub }) => hub.timerP99Ms) ?? NaN,
    megabytesPerSecond: medianOf(own, ({ hub }) => hub.bytes / hub.seconds / 1e6) ?? NaN,
    wrong: own.reduce((sum, { quiet, flooded }) => sum + quiet.wrong + flooded.wrong, 0),
    verified: own.every((sample) => sample.verified),
  }))
  const figures = figuresOf(samples, { bytes: plan.bytes }, [
    { metric: 'round trip beside a flood', unit: 'us', better: 'lower', of: ({ flooded }) => flooded.meanMicros },
    { metric: 'lateness of timers beside a flood', unit: 'ms', better: 'lower', of: ({ hub }) => hub.timerMeanMs },
    { metric: 'flood', unit: 'MB/s', better: 'higher', of: ({ hub }) => hub.bytes / hub.seconds / 1e6 },
  ])
  return { bytes: plan.bytes, rows, figures, released }
}
