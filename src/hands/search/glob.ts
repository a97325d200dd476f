/** Which files a glob takes: *.ts, src/**, *.{js,ts}, [a-c]?, and !*.min.js for all others. Not a regular expression: no class names. */

/** A longer one is a list of files. */
export const GLOB_CHARS_MAX = 1_024;

/** What is wrong with it, for the model; undefined when it can be taken. */
export function defectOfGlob(glob: string): string | undefined {
  if (glob === '' || glob.length > GLOB_CHARS_MAX || !glob.isWellFormed())
    return `"glob" must have 1 to ${GLOB_CHARS_MAX} whole characters, for example *.ts.`;
  try {
    globOf(glob);
    return undefined;
  } catch (error) {
    // all else is escaped
    if (error instanceof SyntaxError)
      return '"glob" has a range that goes backwards: write the lower character first, for example [a-z].';
    throw error;
  }
}

/** Of a glob without a defect. For paths relative to the folder that is searched; a glob without "/" is matched with the name alone. */
export function globOf(glob: string): (path: string) => boolean {
  const isNegated = glob.startsWith('!');
  const plain = glob.slice(isNegated ? 1 : 0).replace(/^\.?\//, '');
  const expression = new RegExp(`^${expressionOf(plain)}$`, 'su');
  const hasFolder = glob.slice(isNegated ? 1 : 0).includes('/');
  return (path) => expression.test(hasFolder ? path : path.slice(path.lastIndexOf('/') + 1)) !== isNegated;
}

function expressionOf(glob: string): string {
  let expression = '';
  let braces = 0;
  for (let at = 0; at < glob.length; ) {
    const rest = glob.slice(at);
    const [whole] = /^(?:\*\*\/|\*\*|\*|\?|\[!?\]?[^\]/]*\]|\\?.)/su.exec(rest) ?? [rest];
    at += whole.length;
    if (whole === '**/') expression += '(?:.*/)?';
    else if (whole === '**') expression += '.*';
    else if (whole === '*') expression += '[^/]*';
    else if (whole === '?') expression += '[^/]';
    else if (whole.startsWith('[') && whole.length > 2) expression += bracketOf(whole);
    else if (whole === '{' && rest.includes('}')) {
      braces += 1;
      expression += '(?:';
    } else if (whole === '}' && braces > 0) {
      braces -= 1;
      expression += ')';
    } else if (whole === ',' && braces > 0) expression += '|';
    else expression += escaped(whole.length > 1 && whole.startsWith('\\') ? whole.slice(1) : whole);
  }
  return `${expression}${')'.repeat(braces)}`;
}

function bracketOf(bracket: string): string {
  const isNegated = bracket.startsWith('[!');
  const members = bracket.slice(isNegated ? 2 : 1, -1).replaceAll(/[\\\]^[]/g, '\\$&');
  return `[${isNegated ? '^/' : ''}${members}]`;
}

function escaped(character: string): string {
  return character.replaceAll(/[$()*+./?[\\\]^{|}]/g, '\\$&');
}
