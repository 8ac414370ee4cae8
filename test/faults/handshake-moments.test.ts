/** A dial that is given up, and ends that are closed, at every turn of the dial and its handshake. */
import test from 'ava'
import { createEngine, TransportError, type Connection, type Engine } from '../../api/index.js'
import { byLength } from '../helpers/length.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000
/** More than a dial takes where nothing else is at work. */
const MOST_TURNS = byLength({ short: 40, long: 80 })
const STEP = byLength({ short: 2, long: 1 })

failOnWarnings()

const declare = process.platform === 'win32' ? test.serial.skip : test.serial

async function outcomeOf(connecting: Promise<Connection>): Promise<string> {
  try {
    const connection = await connecting
    connection.destroy()
    await connection.closed
    return 'OK'
  } catch (error) {
    return error instanceof TransportError ? error.code : String(error)
  }
}

function openOf(engine: Engine): number[] {
  const { segments, mappings, duplicates, connections, lanes, regions, dials } = engine.stats().ledger.byKind
  return [segments, mappings, duplicates, connections, lanes, regions, dials].map(({ open }) => open)
}

for (const memory of ['shared', 'socket'] as const) {
  declare(
    `${memory}: a dial can be aborted at any turn of its handshake, and leaves nothing at either end`,
    async (t) => {
      t.timeout(WATCHDOG_MS)
      const folder = await makeTemporaryFolder()
      const [dialling, listening] = [await createEngine({ shards: 1 }), await createEngine({ shards: 1 })]
      try {
        const path = `shm:${folder.socketPath()}`
        const listener = await listening.transport(path).listen((connection) => {
          connection.subscribe(() => undefined)
        })
        const transport = dialling.transport(path, { memory })
        const outcomes = new Set<string>()
        t.is(await outcomeOf(transport.connect()), 'OK')
        let tries = 0
        // Until one is there before it is aborted.
        for (let k = 0; !outcomes.has('OK'); k += STEP + Math.floor(k / 32)) {
          tries++
          const controller = new AbortController()
          const outcome = outcomeOf(transport.connect({ signal: controller.signal }))
          await turns(k)
          controller.abort()
          outcomes.add(await outcome)
          await until(() => [dialling, listening].every((engine) => openOf(engine).every((open) => open === 0)))
        }
        t.deepEqual([...outcomes].sort(), ['ERR_ABORTED', 'OK'])
        const { accepted, refused, open } = listener.stats()
        t.is(open, 0)
        t.true(accepted + refused <= 1 + tries)
        t.is(await outcomeOf(transport.connect()), 'OK')
      } finally {
        for (const engine of [dialling, listening]) t.is((await engine.close()).leaked, 0)
        await folder.remove()
      }
    },
  )

  for (const [what, expected, close] of [
    ['the dialling engine', ['OK', 'ERR_ENGINE_CLOSED'], (dialling: Engine) => dialling.close({ graceMs: 0 })],
    [
      'the listening engine',
      ['OK', 'ERR_NOT_FOUND', 'ERR_REFUSED', 'ERR_RESET', 'ERR_CLOSED'],
      (_: Engine, listening: Engine) => listening.close({ graceMs: 0 }),
    ],
  ] as const) {
    declare(`${memory}: ${what} can be closed at any turn of a handshake`, async (t) => {
      t.timeout(WATCHDOG_MS)
      for (let k = 0; k < MOST_TURNS; k += 4 * STEP) {
        const folder = await makeTemporaryFolder()
        const [dialling, listening] = [await createEngine({ shards: 1 }), await createEngine({ shards: 1 })]
        try {
          const path = `shm:${folder.socketPath()}`
          await listening.transport(path).listen((connection) => {
            connection.subscribe(() => undefined)
          })
          const outcome = outcomeOf(dialling.transport(path, { memory }).connect())
          await turns(k)
          t.is((await close(dialling, listening)).leaked, 0, `${String(k)} turns`)
          const code = await outcome
          t.true((expected as readonly string[]).includes(code), `${String(k)} turns: ${code}`)
          await until(() => [dialling, listening].every((engine) => openOf(engine).every((open) => open === 0)))
        } finally {
          for (const engine of [dialling, listening]) {
            const { leaked, byKind } = await engine.close()
            t.is(leaked, 0, JSON.stringify(byKind))
          }
          await folder.remove()
        }
      }
    })
  }
}
