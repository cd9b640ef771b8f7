/** The pages of signing in elsewhere: what went wrong, whether to connect, and what is connected. */
import { html, type Markup, renderFormPage, type RenderedPage } from '../../http/index.ts'
import type { Provider } from '../upstream/provider.ts'
import type { Connection } from '../upstream/provider-store.ts'
import { accountPage, type OwnPlace, buttonForm, dayInWords } from './account-page.ts'
import { type FormPlace, formStart } from './parts-page.ts'

export type UpstreamProblem = 'failed' | 'known_email' | 'unverified' | 'closed' | 'wrong' | 'taken' | 'over'

/** What happened, and what to do. */
const PROBLEMS: Readonly<Record<UpstreamProblem, (name: string) => readonly [string, string]>> = {
  failed: (name) => [
    `${name} did not sign you in`,
    'It refused, or its answer was not right. Try again, or choose another way.',
  ],
  known_email: (name) => [
    'You have an account already',
    `An account has the address that ${name} knows you by. Sign in to it another way first; then connect ${name} on your account page.`,
  ],
  unverified: (name) => [
    'Your address is not verified there',
    `${name} does not vouch for an e-mail address of yours. Verify one there, then try again.`,
  ],
  closed: () => ['You have no account here', 'Ask whoever runs this service for one.'],
  wrong: () => ['That did not work', 'The account cannot sign in.'],
  taken: (name) => ['That is connected already', `This identity at ${name} belongs to another account here.`],
  over: () => ['This took too long', 'Please begin again.'],
}

export function upstreamProblemPage(problem: UpstreamProblem, name: string, place: string): RenderedPage {
  const [title, text] = PROBLEMS[problem](name)
  return renderFormPage({
    title: `Error: ${title} – Postern`,
    body: html`<h1>${title}</h1>
      <p>${text}</p>
      <p><a href="${place}">Go back</a></p>`,
  })
}

export interface ConnectView extends FormPlace {
  readonly provider: Provider
  readonly email: string
  readonly ticket: string
  readonly person: string
}

/** Asked after the trip: whose identity came back is only known now. */
export function connectPage(view: ConnectView): RenderedPage {
  const { action, provider, email, ticket, person } = view
  return renderFormPage({
    title: `Connect ${provider.name}? – Postern`,
    body: html`<h1>Connect ${provider.name}?</h1>
      <div class="who">
        <p>There: <strong>${email}</strong></p>
        <p>Here: <strong>${person}</strong></p>
      </div>
      <p>Whoever signs in there as that identity is then signed in here as you.</p>
      <form method="post" action="${action}">
        ${formStart(view)} <input type="hidden" name="connect" value="${ticket}" />
        <button type="submit">Connect</button>
      </form>
      <p><a href="${action}">Do not connect</a></p>`,
  })
}

export interface ConnectionsView extends OwnPlace {
  readonly providers: readonly Provider[]
  readonly connections: readonly Connection[]
  /** The address at which connecting begins. */
  readonly begin: (provider: Provider) => string
  readonly problem?: string | undefined
}

export function connectionsPage(view: ConnectionsView): RenderedPage {
  const { action, providers, connections, begin, problem } = view
  return accountPage({
    path: action,
    back: view.back,
    title: 'Other sign-ins',
    problem,
    body: html`<p>Sign in here with an account that you have elsewhere.</p>
      ${
        providers.length === 0
          ? html`<p>None is offered here.</p>`
          : html`<ul class="things">
              ${providers.map(one)}
            </ul>`
      }`,
  })

  function one(provider: Provider): Markup {
    const { id, name } = provider
    const connected = connections.filter(({ providerId }) => providerId === id)
    if (connected.length === 0)
      return html`<li>
        <p><strong>${name}</strong></p>
        <p><a href="${begin(provider)}">Connect ${name}</a></p>
      </li>`
    return html`<li>
      <p><strong>${name}</strong></p>
      ${connected.map(
        ({ email, createdAtMs, lastUsedAtMs }) =>
          html`<p class="faint">
            ${email}, connected ${dayInWords(createdAtMs)},
            ${lastUsedAtMs === null ? 'never used' : `last used ${dayInWords(lastUsedAtMs)}`}
          </p>`,
      )}
      ${buttonForm(view, { name: 'disconnect', value: id, label: 'Disconnect', about: name })}
    </li>`
  }
}
