/** Two engines of this process with connections over shared memory between them. */
import type { ExecutionContext } from 'ava'
import { startEngine } from '../../api/engine.js'
import type { Connection, Engine, EngineOptions, Listener, TransportOptions } from '../../api/index.js'
import { systemClock, type Clock } from '../../engine/protocol/clock.js'
import { makeTemporaryFolder } from './temporary-folder.js'

const WATCHDOG_MS = 30_000

interface SceneOptions {
  readonly dialling?: EngineOptions
  readonly listening?: EngineOptions
  readonly dial?: TransportOptions
  readonly accept?: TransportOptions
  readonly clock?: Clock
}

interface Scene {
  readonly dialling: Engine
  readonly listening: Engine
  readonly endpoint: string
  readonly listener: Listener
  /** Both ends of a new connection. */
  readonly pair: () => Promise<{ readonly dialled: Connection; readonly accepted: Connection }>
}

/** Everything must have been released at the end. */
export async function withSharedEngines(
  t: ExecutionContext,
  options: SceneOptions,
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const { clock = systemClock, dial, accept } = options
  const folder = await makeTemporaryFolder()
  const endpoint = `shm:${folder.socketPath()}`
  const dialling = await startEngine({ shards: 1, ...options.dialling }, clock)
  const listening = await startEngine({ shards: 1, ...options.listening }, clock)
  try {
    const listener = await listening.transport(endpoint, accept).listen()
    const pair: Scene['pair'] = async () => {
      const connecting = dialling.transport(endpoint, dial).connect()
      const [dialled, accepted] = await Promise.all([connecting, listener.accept()])
      if (accepted === undefined) throw new Error('the listener has closed')
      t.deepEqual([dialled.info.memory, accepted.info.memory], ['shared', 'shared'])
      return { dialled, accepted }
    }
    await body({ dialling, listening, endpoint, listener, pair })
  } finally {
    for (const engine of [dialling, listening]) {
      const { leaked, byKind } = await engine.close({ graceMs: 0 })
      t.is(leaked, 0, JSON.stringify(byKind))
    }
    await folder.remove()
  }
}
