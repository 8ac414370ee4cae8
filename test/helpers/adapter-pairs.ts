/** Both ends of connections in one process, for tests of adapters. */
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Connection, type Engine, type TransportOptions } from '../../api/index.js'
import { FailureBook } from './failure-book.js'
import { randomName } from './temporary-folder.js'
import { failOnWarnings } from './warnings.js'

const WATCHDOG_MS = 20_000

export interface Pair {
  readonly near: Connection
  readonly far: Connection
}

export interface Pairs {
  readonly engine: () => Engine
  /** What the engine's `onError` was told. */
  readonly failures: FailureBook
  /** A test that gets both ends, which are gone behind it. */
  readonly pair: (
    title: string,
    body: (t: ExecutionContext, ends: Pair) => Promise<void>,
    options?: TransportOptions,
  ) => void
}

/** Once for each test file. */
export function adapterPairs(): Pairs {
  failOnWarnings()
  const failures = new FailureBook()
  let engine: Engine | undefined
  const theEngine = (): Engine => {
    if (engine === undefined) throw new Error('the engine has not started')
    return engine
  }
  test.serial.before('an engine starts', async () => {
    engine = await createEngine({ shards: 1, maxRingBytes: 32_768, onError: failures.onError })
  })
  test.serial.after.always('everything was released', async (t) => {
    const { leaked, byKind } = await theEngine().close()
    t.is(leaked, 0, JSON.stringify(byKind))
    t.deepEqual(failures.takeTold(), [])
  })
  return {
    engine: theEngine,
    failures,
    pair(title, body, options = {}) {
      test.serial(title, async (t) => {
        t.timeout(WATCHDOG_MS)
        const transport = theEngine().transport(`memory:${randomName()}`, options)
        const listener = await transport.listen()
        const [near, far] = await Promise.all([transport.connect(), listener.accept()])
        if (far === undefined) throw new Error('the listener closed')
        try {
          await body(t, { near, far })
        } finally {
          near.destroy()
          far.destroy()
          await Promise.all([near.closed, far.closed, listener.close()])
        }
      })
    },
  }
}
