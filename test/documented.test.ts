/** The documents contain what users are promised to find there. */
import fs from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { errorCodes } from '../engine/protocol/errors.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string): string => fs.readFileSync(join(root, path), 'utf8')

test('every event is in docs/observability.md', (t) => {
  const names = [...read('engine/common/diagnostics.ts').matchAll(/new Event<\w+>\('([^']+)'\)/g)].map(
    ([, name = '']) => name,
  )
  t.true(names.length >= 16)
  const text = read('docs/observability.md')
  t.deepEqual(
    names.filter((name) => !text.includes(`symphony-transport:${name}\``) && !text.includes(`…:${name}\``)),
    [],
  )
})

test('every error code is in the README', (t) => {
  const text = read('README.md')
  t.deepEqual(
    Object.keys(errorCodes).filter((code) => !text.includes(`\`${code}\``)),
    [],
  )
})
