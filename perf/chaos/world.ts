/** Everything that faults happen to: one engine, and for each target a peer with a connection full of traffic. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createEngine, type Engine } from '../../api/index.js'
import { Random } from '../harness/seeded-random.js'
import { Gate } from './gate.js'
import { targetNames, type TargetName } from './plan.js'
import type { PoolTraffic } from './pool-traffic.js'
import { faultyOptions } from './strikes.js'
import { startTarget, type Target } from './start-target.js'
import type { Traffic } from './traffic.js'

/** A shard's JavaScript heap: small, so that the fault that eats memory reaches the limit soon. */
const HEAP_MB = 32

export class World {
  readonly engine: Engine
  readonly folder: string
  readonly gate: Gate
  readonly targets: ReadonlyMap<TargetName, Target>
  readonly #stopListening: () => void

  private constructor(
    engine: Engine,
    folder: string,
    gate: Gate,
    targets: ReadonlyMap<TargetName, Target>,
    stopListening: () => void,
  ) {
    this.engine = engine
    this.folder = folder
    this.gate = gate
    this.targets = targets
    this.#stopListening = stopListening
  }

  static async start(seed: number, folder: string, names: readonly TargetName[]): Promise<World> {
    const engine = await createEngine({
      ...faultyOptions('memory'),
      ...faultyOptions('stuck'),
      shardHeapMb: HEAP_MB,
      shards: 2,
      initialRingBytes: 4_096,
      maxRingBytes: 131_072,
    })
    const gate = new Gate()
    const targets = new Map<TargetName, Target>()
    const stopListening = countFailures(targets, gate)
    for (const name of names) {
      const random = new Random(seed, 1 + targetNames.indexOf(name))
      targets.set(name, await startTarget(engine, folder, name, gate, random))
    }
    return new World(engine, folder, gate, targets, stopListening)
  }

  get traffics(): readonly Traffic[] {
    return [...this.targets.values()].map(({ traffic }) => traffic)
  }

  get pools(): readonly PoolTraffic[] {
    return [...this.targets.values()].flatMap(({ pool }) => (pool === undefined ? [] : [pool]))
  }

  /** Reconnecting connections and pools. */
  get flows(): readonly (Traffic | PoolTraffic)[] {
    return [...this.traffics, ...this.pools]
  }

  get anyTarget(): Target {
    const [target] = this.targets.values()
    if (target === undefined) throw new Error('there are no targets')
    return target
  }

  target(name: TargetName): Target {
    const target = this.targets.get(name)
    if (target === undefined) throw new Error(`there is no target ${name}`)
    return target
  }

  /** Ends all traffic, checks every record, and closes the engine; returns how much leaked. */
  async stop(): Promise<number> {
    await Promise.all(this.flows.map((flow) => flow.stop()))
    // A peer reads what is left of an old connection before it ends.
    await Promise.all([...this.targets.values()].map(({ peer }) => peer.close()))
    const { leaked } = await this.engine.close()
    for (const { peer, traffic } of this.targets.values()) traffic.book.close(peer.record())
    this.#stopListening()
    return leaked
  }
}

/** The engine's event names the connection whose attempt failed. */
function countFailures(targets: ReadonlyMap<TargetName, Target>, gate: Gate): () => void {
  const onFailure = (message: unknown): void => {
    const { id } = message as { readonly id: string }
    for (const { traffic } of targets.values()) if (traffic.connection.info.id === id) traffic.failures++
    gate.poke()
  }
  subscribe('symphony-transport:reconnecting.failed', onFailure)
  return () => {
    unsubscribe('symphony-transport:reconnecting.failed', onFailure)
  }
}
