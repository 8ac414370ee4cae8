/** The documents contain what users are promised to find there. */
import fs from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { hopNames } from '../engine/common/hop-trace.js'
import { Ledger } from '../engine/common/ledger.js'
import { errorCodes } from '../engine/protocol/errors.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string): string => fs.readFileSync(join(root, path), 'utf8')

test('every event is in docs/observability.md, with the type of its message', (t) => {
  const events = [...read('engine/common/diagnostics.ts').matchAll(/new EventChannel<(\w+)>\('([^']+)'\)/g)]
  t.true(events.length >= 16)
  const lines = read('docs/observability.md').split('\n')
  const isThere = (name: string, type: string): boolean =>
    lines.some(
      (line) =>
        (line.includes(`symphony-transport:${name}\``) || line.includes(`…:${name}\``)) && line.includes(`\`${type}\``),
    )
  t.deepEqual(
    events.filter(([, type = '', name = '']) => !isThere(name, type)).map(([text]) => text),
    [],
  )
})

test('every kind that the ledger counts is in docs/observability.md', (t) => {
  const kinds = Object.keys(new Ledger().report().byKind)
  const text = read('docs/observability.md')
  t.deepEqual(
    kinds.filter((kind) => !text.includes(`| \`${kind}\` `)),
    [],
  )
})

test('every hop is in docs/observability.md', (t) => {
  const text = read('docs/observability.md')
  t.deepEqual(
    hopNames.filter((hop) => !text.includes(`| \`${hop}\` `)),
    [],
  )
})

test('every error code has its entry in docs/errors.md, with whether a retry can help', (t) => {
  const entries = [...read('docs/errors.md').matchAll(/^### (ERR_\w+)\n\n(.+?)\n\nRetry: (yes|no)\.$/gms)]
  t.deepEqual(
    entries.map(([, code, , retry]) => [code, retry]).sort(),
    Object.entries(errorCodes)
      .map(([code, { retryable }]) => [code, retryable ? 'yes' : 'no'])
      .sort(),
  )
})
