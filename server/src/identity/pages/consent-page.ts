/** Consent: which application asks, where its answers go, for which tenant, and what it may do, in words. */
import { html, type Markup, renderFormPage, type RenderedPage } from '../../http/index.ts'
import { type Application, leadsTo, whereOf } from './application.ts'
import { type ScopeGroup, scopeInWords } from './scope-words.ts'

export interface TenantChoice {
  readonly id: string
  readonly name: string
}

export interface ConsentView {
  readonly action: string
  readonly formToken: string
  readonly application: Application
  /** What the page calls the person; see `displayName`. */
  readonly person: string
  /** What tells this account from others of the same name: the e-mail address or username. */
  readonly account: string
  /** Those to choose from. None: nothing is said about tenants. One: it is named. */
  readonly tenants: readonly TenantChoice[]
  readonly chosenTenant?: string | undefined
  readonly scopes: readonly ScopeGroup[]
  /** `tenant`: none was chosen, or one that is not among them. */
  readonly problem?: 'tenant' | 'form' | undefined
}

/** Beyond this many tenants a list to scroll is worse than one to pick from. */
const MOST_RADIOS = 6

/** The form posts `form_token`, `decision` (`allow` or `deny`) and, where there is a choice, `tenant`. */
export function consentPage(view: ConsentView): RenderedPage {
  const { action, formToken, application, person, account, tenants, scopes, problem } = view
  const where = whereOf(application)
  return renderFormPage({
    title: `${problem ? 'Error: ' : ''}Allow ${application.name}? – Postern`,
    leadsTo: leadsTo(application),
    body: html`<h1>Allow ${application.name}?</h1>
      ${where && html`<p>The answer goes to <strong>${where}</strong>. If you do not know it, cancel.</p>`}
      <div class="who">
        <p>You are signed in as <strong>${person}</strong>${account !== person && html` (${account})`}.</p>
        ${tenants.length === 1 && html`<p>For <strong>${tenants[0]?.name}</strong>.</p>`}
      </div>
      ${problem && summary(problem)} ${scopes.map(group)}
      <form method="post" action="${action}">
        <input type="hidden" name="form_token" value="${formToken}" />
        ${tenants.length === 1 && html`<input type="hidden" name="tenant" value="${tenants[0]?.id}" />`}
        ${tenants.length > 1 && choice(view)}
        <button type="submit" name="decision" value="allow">Allow</button>
        <button type="submit" name="decision" value="deny" class="second" formnovalidate>Cancel</button>
      </form>
      <p class="faint">Either way you go back to the application.</p>`,
  })
}

function group({ api, uri, byRole, scopes }: ScopeGroup): Markup {
  return html`<h2>${api === undefined ? 'It would' : html`In ${api} it would`}</h2>
    ${api !== undefined && uri !== undefined && html`<p class="faint">${uri}</p>`}
    <ul>
      ${scopes.map((scope) => html`<li>${scopeInWords(scope)}</li>`)}
    </ul>
    ${byRole && html`<p class="faint">Of these, as much as your role in the organization allows.</p>`}`
}

function choice({ tenants, chosenTenant, problem }: ConsentView): Markup {
  const described = problem === 'tenant' && html`aria-describedby="problem"`
  if (tenants.length > MOST_RADIOS)
    return html`<div class="field">
      <label for="tenant">For which organization?</label>
      <select id="tenant" name="tenant" required ${described} ${described && html`aria-invalid="true"`}>
        <option value="">Choose one</option>
        ${tenants.map(
          ({ id, name }) =>
            html`<option value="${id}" ${id === chosenTenant && html`selected`}>${name}</option>`,
        )}
      </select>
    </div>`
  return html`<fieldset id="tenant" ${described}>
    <legend>For which organization?</legend>
    ${tenants.map(
      ({ id, name }) =>
        html`<label class="choice"
          ><input type="radio" name="tenant" value="${id}" required ${id === chosenTenant && html`checked`} />
          <span>${name}</span></label
        >`,
    )}
  </fieldset>`
}

function summary(problem: 'tenant' | 'form'): Markup {
  return html`<div class="problem" role="alert" id="problem">
    ${
      problem === 'tenant'
        ? html`<p><a href="#tenant">Choose the organization that this is for.</a></p>`
        : html`<p><strong>This page was too old.</strong></p>
            <p>Please look at it again and decide.</p>`
    }
  </div>`
}
