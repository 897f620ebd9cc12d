from hypothesis import given
from hypothesis import strategies as st

from training.minhash import jaccard, near_duplicates

TEXT = "The harbour master counted forty boats at dusk and wrote each name into the green book by the stove."
CHINESE = "港务长在黄昏时分清点了四十条船，并把每一条船的名字都写进了炉子旁边的绿皮本子里，然后锁上门回家吃饭去了。" * 2


def test_jaccard_by_hand() -> None:
    assert jaccard("abcdefgh", "abcdefgh") == 1
    assert jaccard("abcdefghi", "abcdefgh") == 1 / 2  # runs abcdefgh and bcdefghi, and the first alone
    assert jaccard("abcdefgh", "12345678") == 0


def test_a_changed_word_is_found_in_any_script_and_other_texts_are_not() -> None:
    texts = [TEXT, CHINESE, TEXT[::-1], TEXT.replace("forty", "fifty"), CHINESE + "完", ""]
    assert list(near_duplicates(texts)) == [(0, 3), (1, 4)]


def test_each_of_many_alike_is_in_a_pair() -> None:
    texts = [f"{TEXT} {i}" for i in range(100)]
    assert {i for pair in near_duplicates(texts) for i in pair} == set(range(100))


@given(st.lists(st.text(max_size=40), max_size=8))
def test_the_same_text_is_always_found(texts: list[str]) -> None:
    found = {texts[i] for pair in near_duplicates(texts, least=1) for i in pair}
    assert {text for text in texts if texts.count(text) > 1} <= found
