from tests.passes.check import leaves, rewrites
from ttc.passes.simplify.simplify import simplify


def test_embedding_by_consecutive_rows_is_a_slice():
    rewrites(
        simplify,
        """
        %x: f32[6,4] = input(name="x")
        %i: i64[1,3] = literal(data=[2, 3, 4])
        %y: f32[1,3,4] = embedding(w=%x, index=%i)
        return "y"=%y
        """,
        """
        %x: f32[6,4] = input(name="x")
        %y: f32[3,4] = slice(x=%x, starts=[2, 0], ends=[5, 4])
        %y_0: f32[1,3,4] = reshape(x=%y, shape=[1, 3, 4])
        return "y"=%y_0
        """,
    )


def test_gather_of_everything_in_order_is_nothing():
    rewrites(
        simplify,
        """
        %x: f32[2,3] = input(name="x")
        %i: i64[2,3] = literal(data=[0, 1, 2, 0, 1, 2])
        %y: f32[2,3] = gather(x=%x, index=%i, dim=1)
        return "y"=%y
        """,
        """
        %x: f32[2,3] = input(name="x")
        return "y"=%x
        """,
    )


def test_other_orders_stay():
    leaves(
        simplify,
        """
        %x: f32[2,3] = input(name="x")
        %i: i64[2,3] = literal(data=[0, 1, 2, 0, 2, 1])
        %y: f32[2,3] = gather(x=%x, index=%i, dim=1)
        return "y"=%y
        """,
    )
    leaves(
        simplify,
        """
        %x: f32[6,4] = input(name="x")
        %i: i64[3] = literal(data=[2, 4, 3])
        %y: f32[3,4] = embedding(w=%x, index=%i)
        return "y"=%y
        """,
    )
