/** Handler modules through the public API: options, how a module is loaded, what it gets, and its life. */
import fs from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { HandlerListenOptions } from '../../api/index.js'
import type { WitnessApi } from '../fixtures/handlers/witness.js'
import { rejects } from '../helpers/expected-errors.js'
import { FailureBook } from '../helpers/failure-book.js'
import { makeTemporaryFolder, randomName } from '../helpers/temporary-folder.js'
import { turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { apiOn, echoes, witness, witnessModule, WitnessSteps, withWitnesses } from '../helpers/witness.js'

failOnWarnings()

function unreadable(): object {
  return {
    get ask(): never {
      throw new Error('not there')
    },
  }
}

const misfits: readonly (readonly [string, unknown, RegExp])[] = [
  ['an empty handler', { handler: '' }, /handler.*file URL or an absolute path/],
  ['a relative path', { handler: './serve.js' }, /handler.*import\.meta\.url/],
  ['the name of a package', { handler: 'serve' }, /handler/],
  ['an http URL', { handler: 'http://localhost/serve.js' }, /handler/],
  ['a URL object of http', { handler: new URL('https://localhost/serve.js') }, /handler/],
  ['a handler that is no text', { handler: 7 }, /handler/],
  ['no handler', {}, /handler/],
  ['data that cannot be cloned', { handler: witnessModule, data: { f: () => 1 } }, /data.*each shard gets a copy/],
  ['a host that cannot be read', { handler: witnessModule, host: unreadable() }, /host.*reading its functions failed/],
  ['a host that is no object', { handler: witnessModule, host: 'x' }, /host/],
  ['an onLog that is no function', { handler: witnessModule, onLog: {} }, /onLog/],
  ['an onError that is no function', { handler: witnessModule, onError: 1 }, /onError/],
  ['a negative time for the set-up', { handler: witnessModule, setupTimeoutMs: -1 }, /setupTimeoutMs/],
  [
    'a time for the teardown that is no number',
    { handler: witnessModule, teardownTimeoutMs: '5' },
    /teardownTimeoutMs/,
  ],
  ['an unknown option', { handler: witnessModule, hander: 1 }, /hander/],
]

test.serial('listen() refuses options that are wrong, by name, before anything happens', async (t) => {
  await withWitnesses(t, async ({ engine, endpoint }) => {
    const transport = engine.transport(endpoint)
    const { opened } = engine.stats().ledger
    for (const [what, options, says] of misfits) {
      const error = await rejects(t, transport.listen(options as HandlerListenOptions), 'ERR_INVALID_OPTION')
      t.regex(error.message, says, what)
    }
    t.is(engine.stats().ledger.opened, opened)
    t.is(engine.stats().listeners, 0)
  })
})

test.serial('a module is named by a URL, its text, or an absolute path', async (t) => {
  await withWitnesses(t, async ({ engine }) => {
    for (const handler of [witnessModule, witnessModule.href, fileURLToPath(witnessModule)]) {
      const transport = engine.transport(`memory:${randomName()}`)
      await transport.listen({ handler, data: {}, host: new WitnessSteps() })
      t.is(await echoes(await transport.connect()), 'ping')
    }
  })
})

test.serial('a module that cannot serve is refused by a message that says which, and nothing is left', async (t) => {
  await withWitnesses(t, async ({ engine, endpoint }) => {
    const folder = await makeTemporaryFolder()
    const write = async (name: string, source: string): Promise<string> => {
      const path = `${folder.path}/${name}`
      await fs.writeFile(path, source)
      return path
    }
    const cases: readonly (readonly [string, RegExp])[] = [
      [await write('missing-default.mjs', 'export const x = 1'), /missing-default\.mjs.*default export/s],
      [await write('odd-setup.mjs', 'export default () => 1; export const setup = 1'), /odd-setup\.mjs.*export setup/s],
      [
        await write('bad-setup.mjs', "export default () => 1; export function setup() { throw new Error('no disk') }"),
        /bad-setup\.mjs.*setup\(\).*no disk/s,
      ],
      [
        await write('bad-api.mjs', "export default () => 1; export function api() { throw new Error('no way') }"),
        /bad-api\.mjs.*api\(\).*no way/s,
      ],
      [await write('throws.mjs', "throw new Error('at import')"), /throws\.mjs.*at import/s],
      [`${folder.path}/nowhere.mjs`, /nowhere\.mjs/],
    ]
    try {
      for (const [handler, says] of cases) {
        const error = await rejects(t, engine.transport(endpoint).listen({ handler }), 'ERR_HANDLER_LOAD')
        t.regex(error.message, says)
        t.is(error.endpoint, endpoint)
        t.regex((error.cause as Error | undefined)?.stack ?? '', /\S/, handler)
      }
      t.is(engine.stats().listeners, 0)
      // The endpoint is free again.
      const { transport } = await witness(engine, endpoint)
      t.is(await echoes(await transport.connect()), 'ping')
    } finally {
      await folder.remove()
    }
  })
})

test.serial('each shard gets a copy of data, and memory in it is shared', async (t) => {
  await withWitnesses(
    t,
    async ({ engine, endpoint }) => {
      const shared = new SharedArrayBuffer(4)
      const words = ['given']
      const { listener } = await witness(engine, endpoint, { words, shared })
      words.push('later')
      for (const { api } of listener.handlers) await api.change()
      for (const { shard, api } of listener.handlers) {
        t.deepEqual((await api.about()).data.words, ['given', `of shard ${String(shard)}`])
      }
      t.deepEqual(words, ['given', 'later'])
      t.is(new Int32Array(shared)[0], 2)
    },
    { shards: 2 },
  )
})

test.serial('the context says where the module serves', async (t) => {
  await withWitnesses(
    t,
    async ({ engine, endpoint }) => {
      const { listener } = await witness(engine, endpoint, { words: ['a'] })
      const about = await Promise.all(listener.handlers.map(({ api }) => api.about()))
      t.deepEqual(
        about,
        [0, 1].map((shard) => ({
          data: { words: ['a'] },
          state: { setups: 1 },
          endpoint,
          shard,
          generation: 1,
          isAborted: false,
          isFrozen: true,
        })),
      )
      t.deepEqual(
        listener.handlers.map(({ shard, generation }) => [shard, generation]),
        [
          [0, 1],
          [1, 1],
        ],
      )
    },
    { shards: 2 },
  )
})

test.serial('a shard that comes back can call what the host had when listen() was called, and no more', async (t) => {
  await withWitnesses(t, async ({ engine, endpoint }) => {
    const folder = await makeTemporaryFolder()
    const path = `${folder.path}/calls.mjs`
    await fs.writeFile(
      path,
      `export default (connection) => connection
       export const api = ({ host }) => ({ end: () => process.exit(1), early: () => host.early(), late: () => host.late() })`,
    )
    try {
      const host: Record<string, unknown> = { name: 'this', early: returnsName }
      const listener = await engine.transport(endpoint).listen({ handler: path, host })
      host['late'] = returnsName
      delete host['early']
      await rejects(t, listener.handlers[0]?.api['end']?.() ?? Promise.resolve(), 'ERR_SHARD_LOST')
      await until(() => listener.handlers[0]?.generation === 2)
      const api = listener.handlers[0]?.api
      t.is(await api?.['early']?.(), 'this')
      await rejects(t, api?.['late']?.() ?? Promise.resolve(), 'ERR_INVALID_OPTION')
    } finally {
      await folder.remove()
    }
  })
})

function returnsName(this: Readonly<Record<string, unknown>>): unknown {
  return this['name']
}

test.serial('set-up is over before listen() resolves, and teardown before the engine has closed', async (t) => {
  await withWitnesses(t, async ({ engine, endpoint }) => {
    const host = new WitnessSteps()
    const transport = engine.transport(endpoint)
    let isListening = false
    const listening = transport
      .listen<WitnessApi>({ handler: witnessModule, data: { setup: 'wait' }, host })
      .then((listener) => {
        isListening = true
        return listener
      })
    await until(() => host.steps.length === 1)
    await turns(5)
    t.false(isListening)
    await t.throwsAsync(transport.connect())
    host.open.resolve()
    const listener = await listening
    t.deepEqual(host.steps, ['setup begins', 'setup ends'])
    const connection = await transport.connect()
    t.is(await echoes(connection), 'ping')
    await listener.close()
    await turns(5)
    t.is(host.steps.length, 2, 'a connection lives')
    t.is(await echoes(connection), 'ping')
    await connection.close()
    await until(() => host.steps.length === 4)
    t.deepEqual(host.steps.slice(2), ['teardown begins', 'teardown ends'])
    await until(() => listener.handlers.length === 0)
    const other = await witness(engine, endpoint)
    await engine.close()
    t.deepEqual(other.host.steps, ['setup begins', 'setup ends', 'teardown begins', 'teardown ends'])
  })
})

test.serial('several listeners have one module in a shard, and a context each', async (t) => {
  await withWitnesses(t, async ({ engine }) => {
    const first = await witness(engine, `memory:${randomName()}`, { words: ['first'] })
    const second = await witness(engine, `memory:${randomName()}`, { words: ['second'] })
    const [one, other] = [await apiOn(first.listener).about(), await apiOn(second.listener).about()]
    // A counter of the module's: it was loaded once.
    t.deepEqual([one.state.setups, other.state.setups], [1, 2])
    t.deepEqual([one.data.words, other.data.words], [['first'], ['second']])
    await first.listener.close()
    await until(() => first.listener.handlers.length === 0)
    t.is(await echoes(await second.transport.connect()), 'ping')
  })
})

for (const way of ['aborted', 'timed out', 'closed with its engine'] as const) {
  test.serial(`a listen() that is ${way} while setup() hangs leaves nothing`, async (t) => {
    await withWitnesses(t, async ({ engine, endpoint }) => {
      const host = new WitnessSteps()
      const abort = new AbortController()
      const data = { setup: 'wait' } as const
      const timeoutMs = way === 'timed out' ? 50 : undefined
      const listening = engine
        .transport(endpoint)
        .listen({ handler: witnessModule, data, host, signal: abort.signal, timeoutMs })
      const code = {
        aborted: 'ERR_ABORTED',
        'timed out': 'ERR_TIMEOUT',
        'closed with its engine': 'ERR_ENGINE_CLOSED',
      } as const
      const failing = rejects(t, listening, code[way])
      // Time may be over before the set-up has begun.
      if (way !== 'timed out') await until(() => host.steps.length === 1)
      if (way === 'aborted') abort.abort()
      const closed = way === 'closed with its engine' ? engine.close() : undefined
      await failing
      host.open.resolve()
      if (closed === undefined) {
        // What was set up too late is torn down.
        await until(() => host.steps.includes('teardown ends') || engine.stats().listeners === 0)
        const { transport } = await witness(engine, endpoint)
        t.is(await echoes(await transport.connect()), 'ping')
      }
      await closed
    })
  })
}

test.serial('a setup() that is over too late fails listen() with what it waited for', async (t) => {
  await withWitnesses(t, async ({ engine, endpoint }) => {
    const listening = witness(engine, endpoint, { setup: 'hang' }, { setupTimeoutMs: 20 })
    const error = await rejects(t, listening, 'ERR_HANDLER_LOAD')
    t.regex(error.message, /setupTimeoutMs/)
    t.is(error.endpoint, endpoint)
  })
})

test.serial('a teardown that fails is told to onError', async (t) => {
  const ofListener = new FailureBook()
  await withWitnesses(t, async ({ engine, endpoint }) => {
    const { listener } = await witness(engine, endpoint, { teardown: 'fail' }, { onError: ofListener.onError })
    await listener.close()
    await until(() => listener.handlers.length === 0)
    const [{ error, context } = {}, ...more] = ofListener.take()
    t.deepEqual(context, { where: 'teardown', endpoint, connection: undefined })
    t.is((error?.cause as Error).message, 'stuck file')
    t.is(more.length, 0)
  })
})
