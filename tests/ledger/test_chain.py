"""The chain of postings is the tree that RFC 9162 defines, and notices every change."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from allotment.ledger import chain
from allotment.ledger.chain import FIRST_LINK, Posting

# The tree heads of the first one to eight of these entries, as published with the test data of
# certificate transparency logs (google/certificate-transparency, merkle_tree_test).
ENTRIES = [bytes.fromhex(one) for one in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
HEADS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def test_the_published_tree_heads() -> None:
    for n, head in enumerate(HEADS, start=1):
        assert chain.root(chain.leaves(ENTRIES[:n])).hex() == head


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40), st.data())
def test_a_path_leads_from_every_leaf_to_the_root(entries: list[bytes], data: st.DataObject) -> None:
    leaves = chain.leaves(entries)
    at = data.draw(st.integers(0, len(leaves) - 1))
    node = chain.leaf(entries[at])
    for side, sibling in chain.path(leaves, at):
        node = sha256(b"\1" + (sibling + node if side == "left" else node + sibling)).digest()
    assert node == chain.root(leaves)


def test_a_link_depends_on_every_fact_of_its_posting() -> None:
    posting = Posting(
        first_seq=1, last_seq=3, known_at_micros=5, actor_id=1, source="file", root=bytes(32), link=b""
    )
    others = (
        replace(posting, first_seq=2),
        replace(posting, last_seq=4),
        replace(posting, known_at_micros=6),
        replace(posting, actor_id=2),
        replace(posting, source="another file"),
        replace(posting, root=b"\1" * 32),
    )
    links = [chain.link(FIRST_LINK, one) for one in (posting, *others)]
    links.append(chain.link(b"\1" * 32, posting))
    assert len(set(links)) == len(links)
