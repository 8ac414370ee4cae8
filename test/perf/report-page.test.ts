/** The text of a report's page, and its pictures. */
import test from 'ava'
import { motifsOf } from '../../perf/report/charts/motif.js'
import { picturesOf } from '../../perf/report/charts/pictures.js'
import { pageOf } from '../../perf/report/page/page.js'
import { partOf } from '../../perf/report/page/read-runs.js'
import { chartsIn, sectionsOf } from '../../perf/report/page/sections.js'
import type { Run } from '../../perf/report/page/part.js'
import { sampleRuns } from '../helpers/sample-runs.js'

const parts = sampleRuns.map((run) => partOf(run, (name) => `about ${name}`))
const page = pageOf(parts, '1 January 2026')

const ATTACK = `</script><img src=x onerror="alert(1)">'&`

/** The same runs, with an attack wherever a name or a text may stand. */
function hostile(run: Run): Run {
  return {
    ...run,
    scenario: ATTACK,
    settings: { sizes: ATTACK },
    machine: { ...run.machine, cpu: ATTACK, node: ATTACK, platform: ATTACK, kernel: ATTACK },
    figures: run.figures.map((figure) => ({
      ...figure,
      metric: `${figure.metric} ${ATTACK}`,
      contender: `${figure.contender} ${ATTACK}`,
      at: { ...figure.at, [ATTACK]: ATTACK },
    })),
  }
}

/** What of a long text fits, cut so that a failure can be read. */
const found = (text: string, pattern: RegExp): readonly string[] =>
  [...text.matchAll(new RegExp(pattern, `${pattern.flags}g`))].map(([match]) => match.slice(0, 100))

test('the page needs nothing from anywhere', async (t) => {
  const text = await page
  const markup = text.replace(/<script>[\s\S]*?<\/script>/g, '')
  t.deepEqual(found(markup, /https?:|\/\/[a-z]/i), [])
  t.deepEqual(found(text, /<(?:link|img|iframe|object|embed|base)\b/i), [])
  t.deepEqual(found(markup, /<script[^>]* src|@import|url\(/i), [])
  t.not(found(text, /default-src &#39;none&#39;/).length, 0)
})

test('every run has a heading, its command and what it is about', async (t) => {
  const text = await page
  t.true(text.includes('<h2 id="latency">latency</h2>'))
  t.true(text.includes('npm run perf -- latency --sizes 64,1024,16384,65536 --rounds 7<'))
  t.true(text.includes('npm run perf -- throughput --sizes 64,1024,16384,65536 --rounds 7 --wake 50<'))
  t.true(text.includes('about requests'))
})

test('a difference is told in words besides its colour', async (t) => {
  const text = await page
  t.not(found(text, /0\.40× <span class="verdict better"><span aria-hidden="true">▲<\/span> better<\/span>/).length, 0)
  t.not(found(text, /<span class="verdict worse"><span aria-hidden="true">▼<\/span> worse<\/span>/).length, 0)
})

test('heads of columns and rows say what they are heads of, and every chart is told in words', async (t) => {
  const text = await page
  const heads = text.match(/<th [^>]*>/g) ?? []
  t.true(heads.length > 50)
  t.true(heads.every((head) => /scope="(?:col|row)"/.test(head)))
  t.is(text.match(/<div class="plot"[^>]* aria-label="[^"]{20,}"/g)?.length, chartsIn(sectionsOf(parts)).length)
})

test('names from files are text in the page, wherever they stand', async (t) => {
  const text = await pageOf(
    sampleRuns.map(hostile).map((run) => partOf(run, () => ATTACK)),
    ATTACK,
  )
  t.false(text.includes('<img'))
  // The data, and what runs; a name has ended neither.
  t.is(text.match(/<\/script>/g)?.length, 2)
  t.not(found(text, /--sizes &#39;&lt;\/script&gt;/).length, 0)
})

test('a busy machine, more than one machine, and wrong counts are told at the top', async (t) => {
  const [first, second] = parts
  if (first === undefined || second === undefined) return t.fail('no samples')
  const busy = { ...first, right: false, machine: { ...first.machine, loadAverage: 30 } }
  const elsewhere = { ...second, machine: { ...second.machine, cpu: 'Another' } }
  const text = await pageOf([busy, elsewhere], '1 January 2026')
  t.not(found(text, /Counts were wrong in latency/).length, 0)
  t.not(found(text, /more to do than it has CPUs/).length, 0)
  t.not(found(text, /more than one machine/).length, 0)
  t.deepEqual(found(await page, /class="warning" role/), [])
})

test('pictures are the same for the same figures, small, and have their text as text', (t) => {
  const motifs = motifsOf(chartsIn(sectionsOf(parts)))
  const draw = (): readonly (readonly [string, string])[] =>
    motifs.slice(0, 6).flatMap((motif) => picturesOf(motif).map(({ file, svg }) => [file, svg] as const))
  const pictures = draw()
  t.deepEqual(draw(), pictures)
  t.is(new Set(motifs.map(({ name }) => name)).size, motifs.length)
  for (const [file, svg] of pictures) {
    t.true(Buffer.byteLength(svg) < 40_000, file)
    t.not(found(svg, /<text [^>]*>[^<]*net/).length, 0)
    t.deepEqual(found(svg, /<style|<script|zr\d|NaN|undefined/), [])
    t.deepEqual(found(svg.replace('http://www.w3.org/2000/svg', ''), /https?:/), [])
  }
  const [light, dark] = pictures
  t.not(light?.[1], dark?.[1])
})

test('names in pictures are text', (t) => {
  const [motif] = motifsOf(chartsIn(sectionsOf(sampleRuns.map(hostile).map((run) => partOf(run, () => '')))))
  if (motif === undefined) return t.fail('no chart')
  for (const { svg } of picturesOf(motif)) t.deepEqual(found(svg, /<img|<\/script/), [])
})
