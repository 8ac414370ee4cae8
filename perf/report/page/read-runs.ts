/** Reads what `--json` has written. Whatever else a file holds is told in one line. */
import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import { JSON_VERSION } from '../json.js'
import { settingTexts } from './command-text.js'
import type { Part, Run } from './part.js'

/** The message says which file is wrong, and how. */
export class Unreadable extends Error {}

const finite = v.pipe(v.number(), v.finite())
const text = v.pipe(v.string(), v.maxLength(500))
const name = v.pipe(text, v.nonEmpty())

const figure = v.object({
  metric: name,
  unit: v.picklist([
    ...(['ns', 'us', 'ms', 'frames/s', 'requests/s', 'connections/s', 'MB/s', 'bytes', '%', 'count'] as const),
  ]),
  better: v.picklist(['lower', 'higher']),
  contender: name,
  isBaseline: v.boolean(),
  at: v.record(name, v.union([finite, text])),
  samples: v.pipe(v.array(finite), v.nonEmpty()),
  distribution: v.optional(
    v.array(v.object({ percentile: v.pipe(finite, v.minValue(0), v.maxValue(100)), value: finite })),
  ),
})

const machine = v.object({
  node: text,
  platform: text,
  kernel: text,
  cpu: text,
  cpus: finite,
  memoryBytes: finite,
  loadAverage: finite,
})

const run = v.object({
  version: v.literal(JSON_VERSION),
  machine,
  scenario: name,
  settings: v.record(v.string(), v.unknown()),
  right: v.boolean(),
  figures: v.array(figure),
})

/** What a report has written holds its runs. */
const report = v.object({ version: v.literal(JSON_VERSION), scenario: v.literal('report'), reports: v.array(run) })

/** @throws {Unreadable} */
export function readRuns(file: string): readonly Run[] {
  const read = parsed(file)
  if (isReport(read)) return checked(report, read, file).reports
  return [checked(run, read, file)]
}

/** `summaryOf`: what a scenario measures, in words. */
export function partOf(
  { machine: facts, scenario, settings, right, figures }: Run,
  summaryOf: (scenario: string) => string,
): Part {
  return { scenario, summary: summaryOf(scenario), settings: settingTexts(settings), right, machine: facts, figures }
}

function parsed(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const why = error instanceof SyntaxError ? 'is no JSON' : 'cannot be read'
    throw new Unreadable(`${file} ${why}: ${oneLine(error instanceof Error ? error.message : String(error))}`)
  }
}

function isReport(read: unknown): boolean {
  return typeof read === 'object' && read !== null && 'scenario' in read && read.scenario === 'report'
}

function checked<Schema extends v.GenericSchema>(schema: Schema, read: unknown, file: string): v.InferOutput<Schema> {
  const result = v.safeParse(schema, read)
  if (result.success) return result.output
  const [issue] = result.issues
  const place = v.getDotPath(issue) ?? 'the file as a whole'
  throw new Unreadable(`${file} is not what --json writes: ${oneLine(`${place}: ${issue.message}`)}`)
}

function oneLine(message: string): string {
  return message.replace(/\s+/g, ' ').slice(0, 200)
}
