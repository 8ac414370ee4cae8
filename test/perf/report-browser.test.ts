/** A report's page in a browser: drawn, sorted, in the dark, on a phone and on paper. */
import fs from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { dark, light } from '../../perf/report/charts/theme.js'
import { pageOf } from '../../perf/report/page/page.js'
import { partOf } from '../../perf/report/page/read-runs.js'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { sampleRuns } from '../helpers/sample-runs.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'

/** A name that would run, and would load something, if it were markup. */
const ATTACK = `</script><img src="x" onerror="document.title='broken'">`

interface Opened {
  readonly browser: Browser
  readonly folder: TemporaryFolder
  readonly address: string
}

/** One browser and one file for all tests. */
let opened: Promise<Opened> | undefined

async function start(): Promise<Opened> {
  const browser = await launchBrowser()
  const folder = await makeTemporaryFolder()
  const file = join(folder.path, 'report.html')
  const parts = sampleRuns.map((run) => partOf(run, () => `about this ${ATTACK}`))
  await fs.writeFile(file, await pageOf(parts, '1 January 2026'))
  return { browser, folder, address: pathToFileURL(file).href }
}

test.after.always(async () => {
  const all = await opened?.catch(() => undefined)
  await all?.browser.close()
  await all?.folder.remove()
})

/** The page, and whatever it complained of or asked for. */
async function open(
  t: ExecutionContext,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; trouble: string[] }> {
  opened ??= start()
  const { browser, address } = await opened
  const page = await browser.newPage(options)
  t.teardown(() => page.close())
  const trouble: string[] = []
  page.on('console', (message) => trouble.push(message.text()))
  page.on('pageerror', (error) => trouble.push(error.message))
  page.on('request', (request) => {
    if (request.url() !== address) trouble.push(request.url())
  })
  await page.goto(address)
  return { page, trouble }
}

/** Colour of the paper, and of the first text in the first chart. */
const colours = (page: Page): Promise<readonly string[]> =>
  page.evaluate(
    `[getComputedStyle(document.body).backgroundColor, document.querySelector('.plot text').getAttribute('fill')]`,
  )

const cellsOf = (page: Page, column: number): Promise<readonly string[]> =>
  page
    .locator(`.sortable >> nth=0`)
    .locator(`tbody tr > :nth-child(${String(column)})`)
    .allInnerTexts()

inBrowser('charts are drawn when one comes near them, without a complaint or a request', async (t) => {
  const { page, trouble } = await open(t)
  const plots = page.locator('.plot')
  t.true((await plots.count()) > 10)
  for (const kind of ['overview', 'scaling', 'percentiles', 'rounds']) {
    const plot = page.locator(`.chart.${kind} .plot`).last()
    await plot.scrollIntoViewIfNeeded()
    await plot.locator('svg path').first().waitFor({ state: 'attached' })
    t.true((await plot.locator('svg text').count()) > 2, kind)
  }
  t.deepEqual(trouble, [])
  t.is(await page.title(), 'symphony-transport: measurements')
  t.is(await page.locator('img').count(), 0)
})

inBrowser('other conditions redraw a chart, and its words', async (t) => {
  const { page } = await open(t)
  const chart = page.locator('.chart.rounds').first()
  const plot = chart.locator('.plot')
  await plot.scrollIntoViewIfNeeded()
  await plot.locator('svg text').first().waitFor({ state: 'attached' })
  const before = [await plot.getAttribute('aria-label'), await plot.locator('svg').innerHTML()]
  await chart.locator('select').selectOption({ label: '64 KiB' })
  await plot.locator('svg text').first().waitFor({ state: 'attached' })
  const after = [await plot.getAttribute('aria-label'), await plot.locator('svg').innerHTML()]
  t.not(after[0], before[0])
  t.regex(after[0] ?? '', /64 KiB/)
  t.not(after[1], before[1])
})

inBrowser('a column head sorts its table, and turns the order when it is pressed again', async (t) => {
  const { page } = await open(t)
  const head = page.locator('.sortable >> nth=0').locator('thead th').nth(2)
  const sizes = async (): Promise<number[]> =>
    (await cellsOf(page, 3)).map((text) => {
      const times = Number(/[\d.]+/.exec(text)?.[0])
      return text.includes('worse') ? 1 / times : times
    })
  await head.locator('button').click()
  t.is(await head.getAttribute('aria-sort'), 'ascending')
  const rising = await sizes()
  t.deepEqual(
    rising,
    [...rising].sort((a, b) => a - b),
  )
  await head.locator('button').click()
  t.is(await head.getAttribute('aria-sort'), 'descending')
  t.deepEqual(await sizes(), [...rising].reverse())
})

inBrowser('the keyboard sorts, too, and one column is sorted at a time', async (t) => {
  const { page } = await open(t)
  const table = page.locator('.sortable >> nth=0')
  const buttons = table.locator('thead button')
  await buttons.nth(0).focus()
  await page.keyboard.press('Enter')
  t.is(await table.locator('thead th').nth(0).getAttribute('aria-sort'), 'ascending')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Space')
  const states = await Promise.all(
    (await table.locator('thead th').all()).map((head) => head.getAttribute('aria-sort')),
  )
  t.deepEqual(states.slice(0, 3), ['none', 'ascending', 'none'])
  const names = await cellsOf(page, 2)
  t.deepEqual(
    names,
    [...names].sort((one, other) => one.localeCompare(other, 'en')),
  )
})

inBrowser('in the dark the page and its charts change their colours at once', async (t) => {
  const { page } = await open(t, { colorScheme: 'light' })
  await page.locator('.plot svg text').first().waitFor({ state: 'attached' })
  const shown = await colours(page)
  const drawnIn = (fill: string): Promise<void> =>
    page.locator(`.plot text[fill="${fill}"]`).first().waitFor({ state: 'attached' })
  await page.emulateMedia({ colorScheme: 'dark' })
  await drawnIn(dark.soft)
  t.not((await colours(page))[0], shown[0])
  await page.emulateMedia({ colorScheme: 'light' })
  await drawnIn(light.soft)
  t.deepEqual(await colours(page), shown)
})

inBrowser('on a phone the page does not move sideways; tables do, in their boxes', async (t) => {
  const { page, trouble } = await open(t, { viewport: { width: 360, height: 740 } })
  await page.evaluate(`document.querySelectorAll('details').forEach((details) => (details.open = true))`)
  await page.locator('.plot').last().scrollIntoViewIfNeeded()
  await page.locator('.plot svg').last().waitFor({ state: 'attached' })
  t.is(await page.evaluate('document.documentElement.scrollWidth'), 360)
  const table = await page.evaluate(
    `(({ scrollWidth, clientWidth, tabIndex }) => [scrollWidth > clientWidth, tabIndex])(document.querySelector('.scroll'))`,
  )
  t.deepEqual(table, [true, 0])
  t.deepEqual(trouble, [])
})

inBrowser('on paper every chart is drawn, in light colours, with every table', async (t) => {
  const { page } = await open(t, { colorScheme: 'dark' })
  await page.locator('.plot svg text').first().waitFor({ state: 'attached' })
  await page.evaluate(`dispatchEvent(new Event('beforeprint'))`)
  t.is(await page.locator('.plot:has(svg path)').count(), await page.locator('.plot').count())
  t.is(await page.locator('details:not([open])').count(), 0)
  await page.emulateMedia({ media: 'print' })
  t.is((await colours(page))[0], 'rgb(252, 251, 248)')
  t.is((await colours(page))[1], '#5a5f66')
})
