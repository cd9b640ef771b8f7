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
  readonly command: string
  readonly code: string
}

export function mountFrontPage(server: FastifyInstance, issuer: string): void {
  mountPage(server, '/', () => ({
    title: 'Postern',
    body: html` <h1>Who calls your API?</h1>
      <p class="lead">
        Postern checks who is calling, and gives your code one answer: who, which customer, what they may do.
        The line in your routes is the same for all four.
      </p>
      <div class="cards">${cardsOf(issuer).map(card)}</div>
      <h2>Next</h2>
      <p>
        The <a href="/docs">API</a> lists every route with an example; <a href="/docs/errors">Errors</a> says
        what each code means. <code>npm run -s postern -- doctor</code> looks at this installation.
      </p>`,
  }))
}

function card({ who, answer, explained, command, code }: Card): Markup {
  return html` <section class="card">
    <h2>${who}</h2>
    <p>${answer}</p>
    <p>${prose(explained)}</p>
    <pre tabindex="0"><code>${command}</code></pre>
    <pre tabindex="0"><code>${code}</code></pre>
  </section>`
}

function cardsOf(issuer: string): readonly Card[] {
  const guard = `import { createVerifier } from '@postern/sdk'
import { createGuard, principalOf } from '@postern/sdk/express'

const postern = createGuard(
  createVerifier({
    server: '${issuer}',
    credential: process.env.POSTERN_CREDENTIAL,
    resource: 'https://api.example.com',
  }),
)

app.get('/orders', postern('orders:read'), (req, res) => {
  res.json(ordersOf(principalOf(req).tenant))
})`

  return [
    {
      who: 'A script, a partner or a webhook',
      answer: 'Give it an API key.',
      explained:
        'The key is shown once. It can be rotated without a gap, and a revoked one stops working everywhere.',
      command: keyFor('acme'),
      code: guard,
    },
    {
      who: 'People in my app',
      answer: 'Let them sign in.',
      explained:
        'Your app is a `web` client: people sign in on Postern’s page, and any OpenID Connect library does the rest. Passwords in this version; passkeys and other providers come next.',
      command: `npm run -s postern -- clients create \\
  --kind web --name "My app" \\
  --resource https://api.example.com \\
  --redirect-uri https://app.example.com/callback`,
      code: `// Any OpenID Connect library, for example openid-client:
const config = await discovery(new URL('${issuer}'), clientId, clientSecret)
const url = buildAuthorizationUrl(config, {
  redirect_uri: 'https://app.example.com/callback',
  resource: 'https://api.example.com',
  scope: 'openid orders:read',
  code_challenge: challenge, // PKCE, always
  code_challenge_method: 'S256',
})`,
    },
    {
      who: 'Someone else’s app',
      answer: 'Let it ask for consent by OAuth.',
      explained: 'OAuth 2.1 and OpenID Connect: the person agrees, the app gets a token for just that.',
      command: `npm run -s postern -- clients create \\
  --kind native --name "Their app" \\
  --resource https://api.example.com \\
  --redirect-uri com.example.theirs:/callback`,
      code: `# Everything it needs to know is here:
curl ${issuer}/.well-known/oauth-authorization-server`,
    },
    {
      who: 'My own services',
      answer: 'Use a short token.',
      explained: 'A key exchanged for a signed token of 15 minutes, whose life ends with the key’s.',
      command: keyFor('billing-service'),
      code: `curl ${issuer}/token \\
  -d client_id=api-key \\
  -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange \\
  -d subject_token_type=urn:postern:params:oauth:token-type:api_key \\
  -d subject_token=$API_KEY`,
    },
  ]
}

function keyFor(owner: string): string {
  return `npm run -s postern -- keys create \\
  --resource https://api.example.com \\
  --owner ${owner} --scope orders:read`
}
