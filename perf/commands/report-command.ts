import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { motifsOf } from '../report/charts/motif.js'
import { option } from '../../api/cli/options/option.js'
import { ofAll } from '../options/options.js'
import { programName } from '../options/program.js'
import { list, newFile, Unfit, type Reader } from '../../api/cli/options/reader.js'
import type { Part, Run } from '../report/page/part.js'
import { partOf, readRuns, Unreadable } from '../report/page/read-runs.js'
import { chartsIn, sectionsOf } from '../report/page/sections.js'
import { measureSet } from './measure-set.js'
import { defineScenario, type Scenario } from './scenario.js'
import { sets } from './sets.js'

const DEFAULT_SET = 'quick'
const DEFAULT_PAGE = 'symphony-perf.html'

/** Of all others: it runs some of them, or reads what they have written. */
export function reportOn(scenarios: readonly Scenario[]): Scenario {
  const summaryOf = (name: string): string => scenarios.find((each) => each.name === name)?.summary ?? ''
  const partsOf = (runs: readonly Run[]): readonly Part[] => runs.map((run) => partOf(run, summaryOf))
  const lines = linesOfSet(scenarios)
  return defineScenario({
    name: 'report',
    summary: 'runs a set of scenarios, and writes one page with charts',
    options: {
      set: option(lines, DEFAULT_SET, `${Object.keys(sets).join(', ')}, or scenarios like latency,throughput`),
      from: option(list(someText), 'a.json,b.json', 'instead of a set: files that --json has written'),
      out: option(newFile, DEFAULT_PAGE, 'the page, which needs no other file and no network'),
      pictures: option(newFile, 'FOLDER', 'also each chart as an SVG file, for light and for dark pages'),
      charts: option(list(someText), 'NAME,NAME', 'only these as pictures (default: all, and their names are printed)'),
      ...ofAll,
    },
    examples: [
      'report',
      'report --set standard --json figures.json --pictures charts',
      'report --set latency,throughput --out speed.html',
    ],
    check({ set, from, pictures, charts }) {
      if (set !== undefined && from !== undefined) return '--set measures and --from reads: give one of them'
      if (charts !== undefined && pictures === undefined) return '--charts chooses among --pictures FOLDER'
      try {
        return from === undefined ? undefined : unknownCharts(partsOf(from.flatMap((file) => readRuns(file))), charts)
      } catch (error) {
        if (error instanceof Unreadable) return error.message
        throw error
      }
    },
    async run({ set = lines(DEFAULT_SET), from, out = DEFAULT_PAGE, pictures, charts }, place) {
      const measured = from === undefined ? await measureSet(set, scenarios, place) : undefined
      const runs = measured?.runs ?? (from ?? []).flatMap((file) => readRuns(file))
      const parts = partsOf(runs)
      const shown = parts.filter(({ figures }) => figures.length > 0)
      // What draws and bundles is loaded when it is needed: other scenarios start without it.
      const { pageOf } = await import('../report/page/page.js')
      writeFileSync(out, await pageOf(shown, today()))
      console.log(`\n${out}: ${String(shown.length)} runs`)
      const problem = unknownCharts(shown, charts)
      if (problem !== undefined) console.error(`${programName()}: ${problem}.`)
      if (pictures !== undefined) await writePictures(pictures, shown, charts)
      return {
        right: parts.every(({ right }) => right) && problem === undefined && (measured?.failed ?? 0) === 0,
        reports: runs,
        figures: parts.flatMap(({ figures }) => figures),
      }
    },
  })
}

/** The command lines of a set. */
function linesOfSet(scenarios: readonly Scenario[]): Reader<readonly string[]> {
  return (text) => {
    const known = sets[text]
    if (known !== undefined) return known
    const names = text.split(',')
    if (names.every((name) => scenarios.some((scenario) => scenario.name === name))) return names
    throw new Unfit(
      `${Object.keys(sets).join(', ')}, or a list of scenarios: ${scenarios.map((each) => each.name).join(', ')}`,
    )
  }
}

function someText(text: string): string {
  if (text !== '') return text
  throw new Unfit('some text')
}

/** In one line; undefined: there are all of them. */
function unknownCharts(parts: readonly Part[], wanted: readonly string[] = []): string | undefined {
  const names = motifsOf(chartsIn(sectionsOf(parts))).map(({ name }) => name)
  const unknown = wanted.filter((name) => !names.includes(name))
  return unknown.length === 0 ? undefined : `there is no chart ${unknown.join(', ')}; there are ${names.join(', ')}`
}

async function writePictures(
  folder: string,
  parts: readonly Part[],
  wanted: readonly string[] | undefined,
): Promise<void> {
  const { picturesOf } = await import('../report/charts/pictures.js')
  mkdirSync(folder, { recursive: true })
  const motifs = motifsOf(chartsIn(sectionsOf(parts))).filter(({ name }) => wanted?.includes(name) ?? true)
  for (const picture of motifs.flatMap(picturesOf)) {
    writeFileSync(join(folder, picture.file), picture.svg)
    console.log(join(folder, picture.file))
  }
}

function today(): string {
  return new Date().toLocaleDateString('en-GB', { dateStyle: 'long' })
}
