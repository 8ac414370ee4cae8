/** What documents and docstrings say of options is what their schemas say. */
import fs from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import ts from 'typescript'
import { childSchema, pipeSchema } from '../api/endpoint-input.js'
import { engineSchema } from '../api/engine-options.js'
import { poolSchema } from '../api/pool-options.js'
import { reconnectingSchema } from '../api/reconnecting-options.js'
import { transportSchema } from '../api/transport-options.js'
import { graceMs } from '../engine/common/call-options.js'
import { factsOf, show, type OptionFacts } from './helpers/option-facts.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string): string => fs.readFileSync(join(root, path), 'utf8')

/** Those whose default depends on the machine. */
const ELSEWHERE = ['shards']

/** By the call that stands before the table, and the document that has it. */
const tables = {
  'createEngine(options)': { schema: engineSchema, document: 'docs/options.md' },
  'engine.transport(endpoint, options)': { schema: transportSchema, document: 'docs/options.md' },
  'transport.pool(options)': { schema: poolSchema, document: 'docs/pools.md' },
  'transport.reconnecting(options)': { schema: reconnectingSchema, document: 'docs/reconnecting.md' },
}

/** The rows of the first table behind a line that starts with a text: their cells. */
function rowsBehind(document: string, start: string): readonly (readonly string[])[] {
  const lines = read(document).split('\n')
  const from = lines.findIndex((line) => line.startsWith(start))
  if (from === -1) throw new Error(`${document} has no line that starts with ${start}`)
  const table = lines.findIndex((line, i) => i > from && line.startsWith('|'))
  const end = lines.findIndex((line, i) => i > table && !line.startsWith('|'))
  return lines.slice(table + 2, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

for (const [call, { schema, document }] of Object.entries(tables)) {
  test(`the table of ${call} in ${document} has each option, its default and its range`, (t) => {
    const facts = factsOf(schema)
    const rows = rowsBehind(document, `\`${call}\``)
    t.deepEqual(
      rows.map(([name]) => name),
      facts.map(({ path }) => `\`${path}\``),
    )
    for (const [i, one] of facts.entries()) {
      const [, written = '', range = ''] = rows[i] ?? []
      t.is(range, one.range === '' ? range : one.range, `${one.path}: range`)
      t.is(written, defaultOf(one) ?? written, `${one.path}: default`)
      t.not(written, '', `${one.path}: default`)
    }
  })
}

function defaultOf(facts: OptionFacts): string | undefined {
  if (facts.isRequired) return 'required'
  if (facts.default === undefined || ELSEWHERE.includes(facts.path)) return undefined
  return show(facts.path, facts.default)
}

/** Interfaces of options, the schema that each is of, and where in it. */
const interfaces = [
  { file: 'api/engine-options.ts', name: 'EngineOptions', schema: engineSchema, prefix: '' },
  { file: 'api/engine-options.ts', name: 'RestartOptions', schema: engineSchema, prefix: 'restart.' },
  { file: 'api/transport-options.ts', name: 'TransportOptions', schema: transportSchema, prefix: '' },
  { file: 'api/pool-options.ts', name: 'PoolOptions', schema: poolSchema, prefix: '' },
  { file: 'api/reconnecting-options.ts', name: 'ReconnectingOptions', schema: reconnectingSchema, prefix: '' },
  { file: 'api/reconnecting-options.ts', name: 'HeartbeatOptions', schema: reconnectingSchema, prefix: 'heartbeat.' },
  { file: 'api/reconnecting-options.ts', name: 'BreakerOptions', schema: reconnectingSchema, prefix: 'breaker.' },
  { file: 'api/endpoint.ts', name: 'PipeEndpoint', schema: pipeSchema, prefix: '' },
  { file: 'api/endpoint.ts', name: 'ChildEndpoint', schema: childSchema, prefix: '' },
] as const

/** The members of an interface, and what is written about each, on one line. */
function membersOf(file: string, name: string): ReadonlyMap<string, string> {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true)
  const found = source.statements.filter(ts.isInterfaceDeclaration).find((node) => node.name.text === name)
  if (found === undefined) throw new Error(`${file} has no interface ${name}`)
  return new Map(
    found.members.map((member) => {
      const [comment] = ts.getJSDocCommentsAndTags(member).filter(ts.isJSDoc)
      const text = ts.getTextOfJSDocComment(comment?.comment) ?? ''
      return [member.name?.getText() ?? '', text.replaceAll(/\s+/g, ' ')]
    }),
  )
}

const NUMBER = '0o\\d+|2\\^\\d+|\\d[\\d,]*(?:\\.\\d+)?(?: [GM]iB)?'

function numberIn(text: string): number {
  const [, base = '', unit = ''] = /^(\S+?)(?: ([GM]iB))?$/.exec(text) ?? []
  const scale = unit === 'GiB' ? 2 ** 30 : unit === 'MiB' ? 2 ** 20 : 1
  const [, power] = /^2\^(\d+)$/.exec(base) ?? []
  return (power === undefined ? Number(base.replaceAll(',', '')) : 2 ** Number(power)) * scale
}

/** What a docstring says and the schema does not. */
function wrongIn(text: string, { path, default: fallback, least, most }: OptionFacts): readonly string[] {
  const wrong: string[] = []
  const check = (what: string, said: unknown, meant: unknown): void => {
    if (said !== meant) wrong.push(`${path}: ${what} is said to be ${String(said)}, and is ${String(meant)}`)
  }
  const [, number] = new RegExp(`Default (${NUMBER})`).exec(text) ?? []
  if (number !== undefined && fallback !== undefined) check('its default', numberIn(number), fallback)
  const [, word] = /Default (true|false)\b/.exec(text) ?? []
  if (word !== undefined) check('its default', word, String(fallback))
  const [, quoted] = /`([^`]+)`(?:, the default|[^`]{0,3}\((?:the )?default)/.exec(text) ?? []
  if (quoted !== undefined) check('its default', quoted, fallback)
  if (typeof fallback === 'number') check('that it has a default', number !== undefined, true)
  if (least === undefined || most === undefined) return wrong
  const [, from, to] = new RegExp(`(${NUMBER}) to (${NUMBER})`).exec(text) ?? []
  if (from !== undefined) check('its least', numberIn(from), least)
  if (to !== undefined) check('its most', numberIn(to), most)
  const [, atLeast] = new RegExp(`[Aa]t least (${NUMBER})`).exec(text) ?? []
  if (atLeast !== undefined && from === undefined) check('its least', numberIn(atLeast), least)
  return wrong
}

/** Defaults of options that lie in another, as the docstring of that one states them: `name` and a number. */
function wrongInOuter(text: string, { path, default: fallback }: OptionFacts): readonly string[] {
  const name = path.slice(path.lastIndexOf('.') + 1)
  const [, number] = new RegExp(`\`${name}\` (${NUMBER})`).exec(text) ?? []
  if (number === undefined || typeof fallback !== 'number' || numberIn(number) === fallback) return []
  return [`${path}: its default is said to be ${number}, and is ${String(fallback)}`]
}

for (const { file, name, schema, prefix } of interfaces) {
  test(`docstrings of ${name} in ${file} state defaults and ranges as the schema does`, (t) => {
    const members = membersOf(file, name)
    const facts = factsOf(schema).filter(
      ({ path }) => path.startsWith(prefix) && !path.slice(prefix.length).includes('.'),
    )
    t.deepEqual(
      facts.map(({ path }) => path.slice(prefix.length)).filter((option) => option !== 'kind' && !members.has(option)),
      [],
    )
    const inner = factsOf(schema).filter(
      ({ path }) => path.startsWith(prefix) && path.slice(prefix.length).includes('.'),
    )
    t.deepEqual(
      inner.flatMap((one) => wrongInOuter(members.get(one.path.slice(prefix.length).split('.')[0] ?? '') ?? '', one)),
      [],
    )
    const isElsewhere = ({ path }: OptionFacts): boolean => ELSEWHERE.includes(path) || path === 'kind'
    t.deepEqual(
      facts
        .filter((one) => !isElsewhere(one))
        .flatMap((one) => wrongIn(members.get(one.path.slice(prefix.length)) ?? '', one)),
      [],
    )
  })
}

test('docstrings of graceMs state its defaults', (t) => {
  const said = (file: string, name: string): string => membersOf(file, name).get('graceMs') ?? ''
  t.regex(said('api/engine-options.ts', 'CloseOptions'), new RegExp(`Default ${show('', graceMs.engine)}\\.`))
  t.regex(said('api/pool-options.ts', 'PoolCloseOptions'), new RegExp(`Default ${show('', graceMs.pool)}\\.`))
  t.regex(
    said('engine/listening/listener.ts', 'ListenerCloseOptions'),
    new RegExp(`Default ${show('', graceMs.listener)}:`),
  )
})
