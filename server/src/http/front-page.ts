/**
 * `GET /`: who calls your API? Four answers, each with one command and one block of code. It shows no secret and nothing
 * of this deployment but its address, because everyone can read it.
 */
import type { FastifyInstance } from 'fastify'
import { html, mountPage, prose } from './page.ts'
import type { Markup } from './page.ts'

interface Card {
  readonly who: string
  readonly answer: string
  readonly explained: string
  /** Undefined: in this version. Otherwise what to use until then. */
  readonly until?: string
  readonly command: string
  readonly code: string
}

export function mountFrontPage(server: FastifyInstance, issuer: string): void {
  mountPage(server, '/', () => ({
    title: 'Postern',
    body: html` <h1>Who calls your API?</h1>
      <p class="lead">
        Postern checks who is calling, and gives your code one answer: who, which customer, what they may do.
        This version has API keys. The other three will be accepted by the same line in your routes.
      </p>
      <div class="cards">${cardsOf(issuer).map(card)}</div>
      <h2>Next</h2>
      <p>
        The <a href="/docs">API</a> lists every route with an example; <a href="/docs/errors">Errors</a> says
        what each code means. <code>npm run -s postern -- doctor</code> looks at this installation.
      </p>`,
  }))
}

function card({ who, answer, explained, until, command, code }: Card): Markup {
  return html` <section class="card">
    <h2>${who}</h2>
    <p>${answer}</p>
    ${until === undefined ? html`<p class="state here">In this version</p>` : html`<p class="state">Not in this version</p>`}
    <p>${prose(explained)}</p>
    ${until !== undefined && html`<p>Until then: ${prose(until)}</p>`}
    <pre tabindex="0"><code>${command}</code></pre>
    <pre tabindex="0"><code>${code}</code></pre>
  </section>`
}

function cardsOf(issuer: string): readonly Card[] {
  const verifier = `import { createVerifier } from '@postern/sdk'
import { postern } from '@postern/sdk/express'

const verifier = createVerifier({
  server: '${issuer}',
  credential: process.env.POSTERN_VERIFIER_KEY,
  resource: 'https://api.example.com',
})
const scopes = ['orders:read']
const mayRead = postern(verifier, { scopes })

app.get('/orders', mayRead, (req, res) => {
  res.json(ordersOf(req.principal.sub))
})`

  return [
    {
      who: 'A script, a partner or a webhook',
      answer: 'Give it an API key.',
      explained:
        'The key is shown once. It can be rotated without a gap, and a revoked one stops working everywhere.',
      command: keyFor('acme'),
      code: verifier,
    },
    {
      who: 'People in my app',
      answer: 'Let them sign in.',
      explained:
        'Passkeys, passwords and sign-in with other providers, as a session that your routes accept.',
      until: 'keep the sign-in you have, and let your backend call the API with a key of its own.',
      command: keyFor('my-backend'),
      code: `// Your session says who the person is,
// the key that it is your backend that asks.
const key = process.env.API_KEY
await fetch('https://api.example.com/orders', {
  headers: { authorization: \`Bearer \${key}\` },
})`,
    },
    {
      who: 'Someone else’s app',
      answer: 'Let it ask for consent by OAuth.',
      explained: 'OAuth 2.1 and OpenID Connect: the person agrees, the app gets a token for just that.',
      until: 'issue one key for each app and customer, with only the scopes it needs, and an end.',
      command: `${keyFor('their-app')} \\\n  --expires-in 90d`,
      code: `# Its own key can be revoked alone.
curl https://api.example.com/orders \\
  -H "Authorization: Bearer $API_KEY"`,
    },
    {
      who: 'My own services',
      answer: 'Use a short token.',
      explained: 'A key exchanged for a signed token of 15 minutes, whose life ends with the key’s.',
      until:
        'give each service its own key; the SDK keeps a checked one in memory, so that a repeat costs no request.',
      command: keyFor('billing-service'),
      code: `// The same route as for a partner's key.
app.get('/orders', mayRead, listOrders)`,
    },
  ]
}

function keyFor(owner: string): string {
  return `npm run -s postern -- keys create \\
  --resource https://api.example.com \\
  --owner ${owner} --scopes orders:read`
}
