/** examples/lsp-client with the real language server. */
import { onPosix, runExample } from './example.js'

onPosix('the language client prints what is wrong, and the server ends', async (t) => {
  const lines = await runExample(t, 'lsp-client/client.js')
  t.regex(lines.join('\n'), /^the server can \d+ things\n(line \d: .+\n)+the server ended with 0$/)
})
