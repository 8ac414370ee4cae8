/** How a shard loads handler modules: their forms, once each, and what an error says. */
import fs from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import type { Connection } from '../../../api/index.js'
import type { HandlerContext } from '../../../engine/common/handler-module.js'
import { HandlerModules, loadFailure } from '../../../workers/handlers/handler-modules.js'
import { rejects } from '../../helpers/expected-errors.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'
import { failOnWarnings } from '../../helpers/warnings.js'

failOnWarnings()

type Write = (name: string, source: string) => Promise<string>

async function withFiles(t: ExecutionContext, body: (write: Write) => Promise<void>): Promise<void> {
  t.timeout(10_000)
  const folder = await makeTemporaryFolder()
  try {
    await body(async (name, source) => {
      const path = join(folder.path, name)
      await fs.writeFile(path, source)
      return pathToFileURL(path).href
    })
  } finally {
    await folder.remove()
  }
}

const forms: readonly (readonly [string, string, string])[] = [
  ['a module', 'form.mjs', "export default () => 'served'; export function setup() { return 's' }"],
  ['a CommonJS function', 'plain.cjs', "module.exports = () => 'served'; module.exports.setup = () => 's'"],
  [
    'a module compiled to CommonJS',
    'compiled.cjs',
    "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = () => 'served'; exports.setup = () => 's'",
  ],
  ['a CommonJS object', 'object.cjs', "module.exports = { default: () => 'served', setup: () => 's' }"],
]

for (const [what, name, source] of forms) {
  test(`${what} can be a handler module`, async (t) => {
    await withFiles(t, async (write) => {
      const module = await new HandlerModules().load(await write(name, source))
      t.is(module.serve({} as Connection, {} as HandlerContext), 'served')
      t.is(module.setup?.({} as HandlerContext), 's')
      t.is(module.api, undefined)
      t.is(module.teardown, undefined)
    })
  })
}

test('a data URL can be a handler module', async (t) => {
  const module = await new HandlerModules().load('data:text/javascript,export default () => 7')
  t.is(module.serve({} as Connection, {} as HandlerContext), 7)
})

const misfits: readonly (readonly [string, string, RegExp])[] = [
  [
    'without a default export',
    'export const serve = () => undefined',
    /default export must be a function.*is nothing$/,
  ],
  ['with a default export that is no function', 'export default 7', /default export must be a function.*is 7$/],
  ['with an object as its default export', 'export default {}', /default export must be a function.*is an object$/],
  ['with a setup that is no function', 'export default () => 1; export const setup = 7', /export setup must be/],
  ['with an api that is no function', 'export default () => 1; export const api = {}', /export api must be/],
  [
    'with a teardown that is no function',
    'export default () => 1; export const teardown = "x"',
    /export teardown must be/,
  ],
]

for (const [what, source, says] of misfits) {
  test(`a module ${what} is refused, and the message says which file and export`, async (t) => {
    await withFiles(t, async (write) => {
      const url = await write('misfit.mjs', source)
      const error = await rejects(t, new HandlerModules().load(url), 'ERR_HANDLER_LOAD')
      t.true(error.message.includes(url), error.message)
      t.regex(error.message, says)
    })
  })
}

test('a module that fails while it is imported is refused with its own error as the cause', async (t) => {
  await withFiles(t, async (write) => {
    const url = await write('broken.mjs', "throw new RangeError('no disk')")
    const error = await rejects(t, new HandlerModules().load(url), 'ERR_HANDLER_LOAD')
    t.true(error.cause instanceof RangeError)
    t.true(error.message.includes(url) && error.message.includes('no disk'), error.message)
    const bad = await write('syntax.mjs', 'export default (')
    t.true((await rejects(t, new HandlerModules().load(bad), 'ERR_HANDLER_LOAD')).cause instanceof SyntaxError)
  })
})

test('a module that is its own URL is named by the beginning of it', async (t) => {
  const url = `data:text/javascript,${' '.repeat(9_000)}export default 1`
  const { message } = await rejects(t, new HandlerModules().load(url), 'ERR_HANDLER_LOAD')
  t.true(message.length < 300, message)
})

test('a module that throws what cannot be shown is refused as one', (t) => {
  const odd = Object.defineProperty(new Error('odd'), 'message', { value: Symbol('odd') })
  const throwing = Object.defineProperty(new Error('throwing'), 'message', {
    get: () => {
      throw new Error('no')
    },
  })
  for (const thrown of [odd, throwing, Symbol('thrown'), undefined])
    t.is(loadFailure('file:///serve.js', 'failed', thrown).code, 'ERR_HANDLER_LOAD')
})

test('a module is loaded once, also while it is loading', async (t) => {
  await withFiles(t, async (write) => {
    const url = await write('once.mjs', 'await new Promise(setImmediate); export default () => 1')
    const modules = new HandlerModules()
    const [one, other] = await Promise.all([modules.load(url), modules.load(url)])
    t.is(one, other)
    t.is(await modules.load(url), one)
  })
})

test('a module that was missing is looked for again', async (t) => {
  await withFiles(t, async (write) => {
    const there = await write('there.mjs', 'export default () => 1')
    const missing = there.replace('there.mjs', 'later.cjs')
    const modules = new HandlerModules()
    t.true((await rejects(t, modules.load(missing), 'ERR_HANDLER_LOAD')).message.includes(missing))
    await write('later.cjs', 'module.exports = () => 2')
    t.is((await modules.load(missing)).serve({} as Connection, {} as HandlerContext), 2)
  })
})
