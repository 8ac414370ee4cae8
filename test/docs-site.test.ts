/** The site that `npm run docs` has built, in a browser. Skipped where it was not built. */
import fs from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test from 'ava'
import { inBrowser, launchBrowser } from './helpers/browser.js'

const site = join(fileURLToPath(new URL('../..', import.meta.url)), 'site', 'index.html')
const isRequired = process.env['SYMPHONY_TEST_BROWSER'] === 'required'
const title = 'the site: from the front page to an option, an error and the reference, without the network'

if (!fs.existsSync(site) && !isRequired) test.skip(`${title} (npm run docs has not built it)`, () => undefined)
else
  inBrowser(title, async (t) => {
    t.timeout(60_000)
    const browser = await launchBrowser()
    try {
      const page = await browser.newPage({ viewport: { width: 390, height: 844 } })
      const trouble: string[] = []
      page.on('pageerror', (error) => trouble.push(error.message))
      page.on('request', (request) => {
        if (!request.url().startsWith('file:')) trouble.push(request.url())
      })
      // On a phone nothing is wider than the page, but what scrolls within it: tables, code and long names.
      for (const name of ['index.html', 'documents/Metrics_and_logs.html', 'interfaces/index.ServedConnection.html']) {
        await page.goto(new URL(name, pathToFileURL(site)).href)
        t.is(await page.evaluate<number>('document.documentElement.scrollWidth'), 390, name)
      }

      await page.goto(pathToFileURL(site).href)
      await page.setViewportSize({ width: 1280, height: 900 })
      const content = page.locator('.col-content')
      await content.getByRole('link', { name: 'options', exact: true }).click()
      await content.getByText('initialRingBytes').first().waitFor()
      t.is(await content.getByRole('heading', { level: 1 }).innerText(), 'Options')

      await page.goBack()
      await content.getByRole('link', { name: 'errors', exact: true }).click()
      await content.locator('#err_backlog_full').waitFor()

      const navigation = page.locator('.site-menu')
      await navigation.getByText('How it works').click()
      await navigation.getByRole('link', { name: 'Architecture' }).click()
      t.is(await content.getByRole('heading', { level: 1 }).innerText(), 'Architecture')

      await page.goto(new URL('modules/index.html', page.url().replace(/documents\/.*/, '')).href)
      await content.getByRole('link', { name: 'createEngine' }).first().click()
      await content.getByText('Promise').first().waitFor()
      t.deepEqual(trouble, [])
    } finally {
      await browser.close()
    }
  })
