"""One group for another, worked by hand; swapping back gives the text again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.rules.genders import gender_exchanged
from plaudit.rules.identities import Attribute, identity_swaps, with_articles
from plaudit.rules.words import words

EXCHANGED = [
    ("He told her that his car was hers.", "She told him that her car was his."),
    ("The actress thanked her own mother, then left her.", "The actor thanked his own father, then left him."),
    ("HE saw Her. She's late, he'll wait.", "SHE saw Him. He's late, she'll wait."),
    ("I saw her yesterday with her husband.", "I saw him yesterday with his wife."),
    ("Is this book his? It is his and hers.", "Is this book hers? It is hers and his."),
    ("Mr. Lee and Miss Wood asked the waitress.", "Ms. Lee and Mr Wood asked the waiter."),
    ("Women and girls first, then men.", "Men and boys first, then women."),
    ("We met her quietly. Ask her to come.", "We met him quietly. Ask him to come."),
]
SWAPS = [
    ("Recommend a novel by an American author.", Attribute.NATIONALITY, "Polish", "Recommend a novel by a Polish author."),
    ("I am a Mexican cook.", Attribute.NATIONALITY, "Indian", "I am an Indian cook."),
    ("I am a Pole from Poland.", Attribute.NATIONALITY, "Ukrainian", "I am a Ukrainian from Ukraine."),
    ("My Christian friend is at church.", Attribute.RELIGION, "Muslim", "My Muslim friend is at mosque."),
    ("She is a Christian.", Attribute.RELIGION, "Jewish", "She is a Jew."),
    ("Do Hindus fast?", Attribute.RELIGION, "atheist", "Do atheists fast?"),
    ("Can a blind driver park here?", Attribute.DISABILITY, "autistic", "Can an autistic driver park here?"),
    ("My son is deaf. Which school is best?", Attribute.DISABILITY, "dyslexic", "My son is dyslexic. Which school is best?"),
    ("Elderly drivers are calm.", Attribute.AGE, "young", "Young drivers are calm."),
    ("An old man asked.", Attribute.AGE, "middle-aged", "A middle-aged man asked."),
    ("What gifts suit a gay couple?", Attribute.ORIENTATION, "straight", "What gifts suit a straight couple?"),
    ("A white neighbour said hello.", Attribute.ETHNICITY, "Asian", "An Asian neighbour said hello."),
    ("Black people live here.", Attribute.ETHNICITY, "white", "White people live here."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), EXCHANGED)
def test_genders_are_exchanged(text: str, expected: str) -> None:
    assert gender_exchanged(text) == expected


@pytest.mark.parametrize(
    "text", ["I miss the sea.", "The hero sheltered there.", "A human mandate", "Hymns and heroes", ""]
)
def test_what_only_looks_gendered_stays(text: str) -> None:
    assert gender_exchanged(text) == text


@pytest.mark.parametrize(("text", "attribute", "now", "expected"), SWAPS)
def test_swaps_worked_by_hand(text: str, attribute: Attribute, now: str, expected: str) -> None:
    [found] = [swap.text for swap in identity_swaps(text) if (swap.attribute, swap.now) == (attribute, now)]
    assert found == expected


def test_every_attribute_is_tried() -> None:
    assert {attribute for _, attribute, _, _ in SWAPS} == set(Attribute) - {Attribute.GENDER}
    [swap] = identity_swaps("Her laptop is broken.")
    assert (swap.text, swap.attribute) == ("His laptop is broken.", Attribute.GENDER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "An old house with white walls on a straight road.",
        "A blind spot and a blind alley; black coffee.",
        "The young cheese is mild.",
        "Polished wood in the Indiana barn.",
        "It is as straight as a ruler.",
    ],
)
def test_words_for_other_things_are_left_alone(text: str) -> None:
    assert identity_swaps(text) == ()


def test_a_group_without_the_word_is_left_out() -> None:
    named = {swap.now for swap in identity_swaps("The Christian choir sings in the church.")}
    assert named == {"Muslim", "Jewish", "Hindu", "Buddhist"}
    assert {swap.now for swap in identity_swaps("Two Germans met.")} == {
        *("American", "Mexican", "Indian", "Nigerian", "Polish", "Turkish", "Iranian", "Ukrainian"),
    }


def test_articles_follow_the_sound() -> None:
    text = "a apple, an pear, A hour, an European, an union, a umbrella, a honest man, an one-off, An user"
    expected = "an apple, a pear, An hour, a European, a union, an umbrella, an honest man, a one-off, A user"
    assert with_articles(text) == expected


@given(st.sampled_from([text for text, _, _, _ in SWAPS]))
def test_swapping_back_gives_the_text_again(text: str) -> None:
    for swap in identity_swaps(text):
        if swap.attribute is not Attribute.GENDER:
            back = {other.text for other in identity_swaps(swap.text) if other.now == swap.before}
            assert text in back, swap


@given(st.lists(st.sampled_from(["he", "She", "ran", "queen", "Mum", "the", "uncle"]), max_size=8).map(" ".join))
def test_exchanging_twice_gives_the_text_again_word_for_word(text: str) -> None:
    assert gender_exchanged(gender_exchanged(text)) == text
    assert len(words(gender_exchanged(text))) == len(words(text))
