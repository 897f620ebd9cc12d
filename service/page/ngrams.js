// Where a model's n-grams stand in a text: the folding and the tokens of classifier/features.py, in JavaScript.

const SPACE = /[\p{Z}\p{Cc}]/u;
const WORD = /[\p{L}\p{N}\p{M}\p{Pc}]/u;
const DIGIT = /\p{Nd}/u;
const LETTER = /[\p{L}\p{M}\p{N}]/u;
const UNSPACED = [
  [0x0e00, 0x0eff],
  [0x1000, 0x109f],
  [0x1780, 0x17ff],
  [0x3040, 0x30ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xf900, 0xfaff],
  [0x20000, 0x3ffff],
];

/** The spans [from, to), in UTF-16 units, at which a reason's n-gram stands in the text. */
export function spans(text, reasons) {
  const folded = fold(text);
  const found = new Map();
  const wanted = new Map(reasons.map((reason) => [`${reason.kind} ${reason.name}`, reason]));
  const see = (kind, ngram, from, to) => {
    const reason = wanted.get(`${kind} ${ngram}`);
    if (!reason) return;
    if (!found.has(reason)) found.set(reason, []);
    found.get(reason).push([folded.at[Math.max(from, 0)], folded.at[Math.min(to, folded.chars.length)]]);
  };
  const tokens = tokensOf(folded);
  tokens.forEach(([word, from, to], i) => {
    see("word", word, from, to);
    const [before, start] = tokens[i - 1] ?? ["", from];
    see("word", `${before} ${word}`, start, to);
    if (i === tokens.length - 1) see("word", `${word} `, from, to);
  });
  for (const [chunk, from] of chunksOf(folded)) {
    const padded = [" ", ...chunk, " "];
    for (let i = 0; i + 5 <= padded.length; i++) {
      see("char", padded.slice(i, i + 5).join(""), from + Math.max(i - 1, 0), from + Math.min(i + 4, chunk.length));
    }
  }
  return found;
}

/** Code points folded, and where each begins in the text. */
function fold(text) {
  const chars = [];
  const at = [];
  let where = 0;
  for (const char of text) {
    const small = char.toLowerCase();
    chars.push(DIGIT.test(char) ? "0" : [...small].length === 1 ? small : char);
    at.push(where);
    where += char.length;
  }
  at.push(where);
  return { chars, at };
}

function tokensOf({ chars }) {
  const tokens = [];
  let from = -1;
  chars.forEach((char, i) => {
    const stands = isUnspaced(char) || (!SPACE.test(char) && !WORD.test(char));
    if (WORD.test(char) && !stands) {
      if (from < 0) from = i;
      if (i + 1 === chars.length) tokens.push([chars.slice(from).join(""), from, i + 1]);
      return;
    }
    if (from >= 0) tokens.push([chars.slice(from, i).join(""), from, i]);
    from = -1;
    if (stands) tokens.push([char, i, i + 1]);
  });
  return tokens;
}

function chunksOf({ chars }) {
  const chunks = [];
  let from = -1;
  for (let i = 0; i <= chars.length; i++) {
    if (i < chars.length && !SPACE.test(chars[i])) {
      if (from < 0) from = i;
    } else if (from >= 0) {
      chunks.push([chars.slice(from, i), from]);
      from = -1;
    }
  }
  return chunks;
}

function isUnspaced(char) {
  const code = char.codePointAt(0);
  return LETTER.test(char) && UNSPACED.some(([low, high]) => code >= low && code <= high);
}
