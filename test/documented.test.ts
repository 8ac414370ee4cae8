/** The documents contain what users are promised to find there. */
import fs from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { diagnosticsChannels } from '../engine/common/diagnostics.js'
import { hopNames } from '../engine/common/hop-trace.js'
import { Ledger } from '../engine/common/ledger.js'
import { errorCodes } from '../engine/protocol/errors.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string): string => fs.readFileSync(join(root, path), 'utf8')

test('every event is in docs/observability.md, with the type of its message', (t) => {
  const declared = read('engine/common/diagnostics.ts').matchAll(/^ {2}'symphony-transport:([^']+)': (\w+)$/gm)
  const events = [...declared].map(([text, name = '', type = '']) => [text, type, name])
  t.deepEqual(
    events.map(([, , name = '']) => `symphony-transport:${name}`).sort(),
    Object.values(diagnosticsChannels).sort(),
  )
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
